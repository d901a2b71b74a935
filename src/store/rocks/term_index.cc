#include "store/rocks/term_index.h"

#include <boost/sort/spreadsort/integer_sort.hpp>

#include <algorithm>

namespace eventhorn::store {
namespace {

constexpr int64_t kLeastSpan = 1'000'000;

// A term and the place of one of its events among those of the domain, as one number, because
// numbers are sorted several times as fast as anything else.
constexpr int kPlaceBits = 16;
static_assert(TailRun::kCapacity <= size_t{1} << kPlaceBits);
static_assert(8 * event::kTermBytes + kPlaceBits <= 64);

constexpr uint64_t kPlaceMask = (uint64_t{1} << kPlaceBits) - 1;

// How long it took for most of the events to come. Those at the ends may be late by days, and would
// make the others seem rare.
int64_t span_of(const std::vector<const TailEntry*>& events) {
  const size_t late = events.size() / 10;
  const int64_t middle =
      events[events.size() - 1 - late]->timestamp_us - events[late]->timestamp_us;
  return std::max(kLeastSpan, middle + middle / 4);
}

}  // namespace

unsigned TermIndex::width_for(size_t count, int64_t span_us) {
  unsigned width = 0;
  while (width + 1 < TermTable::kWidths &&
         static_cast<double>(count) * static_cast<double>(TermTable::period_us(width + 1)) <=
             kPostingsPerPeriod * static_cast<double>(span_us))
    ++width;
  return width;
}

Status TermIndex::add_rows(const TailRun& run, Reads, std::vector<IndexRow>& out) {
  const size_t n = run.size();
  std::vector<const TailEntry*> entries;
  entries.reserve(n);
  for (size_t i = 0; i < n; ++i) entries.push_back(&run[i]);
  std::ranges::sort(entries, {}, [](const TailEntry* e) { return e->domain; });
  for (auto begin = entries.begin(); begin != entries.end();) {
    const DomainUid domain = (*begin)->domain;
    const auto end = std::find_if(begin, entries.end(),
                                  [domain](const TailEntry* e) { return e->domain != domain; });
    std::vector<const TailEntry*> events(begin, end);
    add_domain(domain, events, out);
    begin = end;
  }
  return {};
}

void TermIndex::add_domain(DomainUid domain, std::vector<const TailEntry*>& events,
                           std::vector<IndexRow>& out) {
  std::ranges::sort(events, {},
                    [](const TailEntry* e) { return Posting{e->timestamp_us, e->position}; });
  term_events_.clear();
  for (size_t place = 0; place < events.size(); ++place)
    for (const event::Term term : events[place]->terms)
      term_events_.push_back(term << kPlaceBits | place);
  boost::sort::spreadsort::integer_sort(term_events_.begin(), term_events_.end());

  const int64_t span = span_of(events);
  std::vector<Posting> period_postings;
  for (auto begin = term_events_.begin(); begin != term_events_.end();) {
    const event::Term term = *begin >> kPlaceBits;
    const auto end = std::find_if(begin, term_events_.end(),
                                  [term](uint64_t v) { return v >> kPlaceBits != term; });
    const unsigned width = width_for(static_cast<size_t>(end - begin), span);
    while (begin != end) {
      period_postings.clear();
      const int64_t period = TermTable::period_of(width, events[*begin & kPlaceMask]->timestamp_us);
      for (; begin != end; ++begin) {
        const auto* e = events[*begin & kPlaceMask];
        if (e->timestamp_us >= period + TermTable::period_us(width)) break;
        period_postings.push_back({e->timestamp_us, e->position});
      }
      out.push_back({TermTable::key(domain, term, width, period),
                     TermTable::encode(period_postings, period)});
    }
  }
}

}  // namespace eventhorn::store
