#include "store/rocks/term_index.h"

#include <boost/sort/spreadsort/integer_sort.hpp>

#include <algorithm>
#include <tuple>

namespace eventhorn::store {
namespace {

constexpr int64_t kLeastSpan = 1'000'000;

// A term and the place of one of its events, as one number, because numbers are sorted several
// times as fast as anything else.
constexpr int kPlaceBits = 16;
static_assert(TailRun::kCapacity <= size_t{1} << kPlaceBits);
static_assert(8 * event::kTermBytes + kPlaceBits <= 64);

constexpr uint64_t kPlaceMask = (uint64_t{1} << kPlaceBits) - 1;

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
  take_domains(run);
  put_rows(out);
  take_account(run);
  put_rows(out);
  return {};
}

// Each domain with all terms.
void TermIndex::take_domains(const TailRun& run) {
  events_.clear();
  parts_.clear();
  const size_t n = run.size();
  for (size_t i = 0; i < n; ++i) events_.push_back({&run[i], 0});
  std::ranges::sort(events_, {}, [](const Placed& e) {
    return std::tuple(e.entry->domain, e.entry->timestamp_us, e.entry->position);
  });
  for (size_t begin = 0; begin < n;) {
    const DomainUid domain = events_[begin].entry->domain;
    size_t end = begin;
    while (end < n && events_[end].entry->domain == domain) ++end;
    add_part(domain, begin, end);
    begin = end;
  }
  for (size_t place = 0; place < n; ++place)
    for (const event::Term term : events_[place].entry->terms) add_term(term, place);
}

// The account with the kinds of events, and those that are crowded.
void TermIndex::take_account(const TailRun& run) {
  events_.clear();
  parts_.clear();
  const size_t n = run.size();
  if (n == 0) return;
  for (size_t i = 0; i < n; ++i) events_.push_back({&run[i], 0});
  std::ranges::sort(events_, {}, [](const Placed& e) {
    return std::tuple(e.entry->timestamp_us, e.entry->position);
  });
  add_part(TermScope(kOnlyAccount), 0, n);
  for (size_t place = 0; place < n; ++place) {
    const TailEntry& e = *events_[place].entry;
    add_term(event::name_term(e.name), place);
    if (e.severity != event::Severity::kNone) add_term(event::severity_term(e.severity), place);
    if (e.terms.size() == 1 && e.terms[0] == event::kCrowded) add_term(event::kCrowded, place);
  }
}

// The span is how long it took for most of the events to come. Those at the ends may be late by
// days, and would make the others seem rare.
void TermIndex::add_part(TermScope scope, size_t begin, size_t end) {
  for (size_t place = begin; place < end; ++place) events_[place].part = parts_.size();
  const size_t late = (end - begin) / 10;
  const int64_t middle =
      events_[end - 1 - late].entry->timestamp_us - events_[begin + late].entry->timestamp_us;
  parts_.push_back({scope, std::max(kLeastSpan, middle + middle / 4)});
}

void TermIndex::add_term(event::Term term, size_t place) {
  term_events_.push_back(term << kPlaceBits | place);
}

// A row for each period of each term and part.
void TermIndex::put_rows(std::vector<IndexRow>& out) {
  boost::sort::spreadsort::integer_sort(term_events_.begin(), term_events_.end());
  std::vector<Posting> period_postings;
  for (auto begin = term_events_.begin(); begin != term_events_.end();) {
    const event::Term term = *begin >> kPlaceBits;
    const size_t part = events_[*begin & kPlaceMask].part;
    const auto end = std::find_if(begin, term_events_.end(), [&](uint64_t v) {
      return v >> kPlaceBits != term || events_[v & kPlaceMask].part != part;
    });
    const auto& [scope, span] = parts_[part];
    const unsigned width = width_for(static_cast<size_t>(end - begin), span);
    while (begin != end) {
      period_postings.clear();
      const int64_t period =
          TermTable::period_of(width, events_[*begin & kPlaceMask].entry->timestamp_us);
      for (; begin != end; ++begin) {
        const auto* e = events_[*begin & kPlaceMask].entry;
        if (e->timestamp_us >= period + TermTable::period_us(width)) break;
        period_postings.push_back({e->timestamp_us, e->position});
      }
      out.push_back(
          {TermTable::key(scope, term, width, period), TermTable::encode(period_postings, period)});
    }
  }
  term_events_.clear();
}

}  // namespace eventhorn::store
