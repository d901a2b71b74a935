#include "store/rocks/term_rows.h"

#include <algorithm>
#include <utility>

namespace eventhorn::store {
namespace {

// Keys hold timestamps of 56 bits.
constexpr int64_t kLastTimestamp = (int64_t{1} << 56) - 1;

// Dropped postings that are passed between two questions whether to give up.
constexpr unsigned kDroppedAtOnce = 1024;

// Rows of one timestamp that are looked at for the ids of some.
constexpr size_t kMaxNamed = 4 * TermRows::kMaxAtOnce;

/// All rows of one timestamp.
PageQuery at_timestamp(DomainUid domain, int64_t timestamp_us, bool ascending) {
  PageQuery out;
  out.domain = domain;
  out.ascending = ascending;
  out.first_us = timestamp_us;
  out.last_us = ascending ? timestamp_us + 1 : timestamp_us - 1;
  return out;
}

}  // namespace

TermRows::TermRows(const Parts& parts, const Tail::Runs& runs, const PageQuery& query)
    : parts_(parts),
      query_(query),
      direction_{query.ascending},
      postings_(walk_postings(
          parts.terms,
          {query.domain, direction_, [this](const Posting& at) { return gives_up(at); }},
          query.terms)),
      tail_(
          tail_rows(runs, query, [&](const TailEntry& e) { return query.terms.holds(e.terms); })) {}

bool TermRows::gives_up(const Posting& at) const {
  return at.timestamp_us != looked_for_us_ && query_.give_up && query_.give_up();
}

bool TermRows::in_range(int64_t timestamp_us) const {
  return query_.ascending ? timestamp_us < query_.last_us : timestamp_us > query_.last_us;
}

Result<std::optional<TimeRow>> TermRows::next() {
  if (!std::exchange(started_, true)) TRY_STATUS(start());
  while (ready_.empty()) {
    const auto& at = postings_->current();
    const bool have_posting = at && in_range(at->timestamp_us);
    const bool have_tail = tail_next_ < tail_.size();
    if (!have_posting && !have_tail) return std::nullopt;
    const auto comes_first = [&] {
      const int64_t tail_us = tail_[tail_next_].timestamp_us;
      return query_.ascending ? tail_us < at->timestamp_us : tail_us > at->timestamp_us;
    };
    if (have_posting && given_up_ && !(have_tail && comes_first()))
      return fail(Errc::kCancelled, "given up");
    TRY_STATUS(fill());
  }
  TimeRow row = std::move(ready_.front());
  ready_.pop_front();
  return std::optional(std::move(row));
}

Status TermRows::start() {
  int64_t from = std::clamp<int64_t>(query_.first_us, 0, kLastTimestamp);
  if (query_.beyond) {
    const int64_t cursor = std::clamp<int64_t>(query_.beyond->timestamp_us, 0, kLastTimestamp);
    from = query_.ascending ? std::max(from, cursor) : std::min(from, cursor);
  }
  looked_for_us_ = from;
  return move_to({from, {query_.ascending ? 0 : UINT64_MAX}});
}

// To the first posting from `target` on whose event is still there; what retention dropped goes
// when RocksDB compacts. Where the query is given up it ends well, and says so in given_up_.
Status TermRows::move_to(const Posting& target) {
  auto sought = postings_->seek(target);
  for (unsigned n = 1; sought; ++n) {
    const auto& at = postings_->current();
    if (!at || at->position.value >= parts_.floor || !in_range(at->timestamp_us)) return {};
    if (n % kDroppedAtOnce == 0 && gives_up(*at)) break;
    sought = postings_->seek(direction_.beyond(*at));
  }
  if (!sought && sought.error().code != Errc::kCancelled) return sought;
  given_up_ = true;
  return {};
}

// The rows of the next timestamp, which may turn out to be none.
Status TermRows::fill() {
  const auto& at = postings_->current();
  const bool have_posting = at && in_range(at->timestamp_us);
  const bool have_tail = tail_next_ < tail_.size();
  const int64_t posting_us = have_posting ? at->timestamp_us : 0;
  const int64_t tail_us = have_tail ? tail_[tail_next_].timestamp_us : 0;
  const bool posting_first = have_posting && (!have_tail || posting_us == tail_us ||
                                              (posting_us < tail_us) == query_.ascending);
  const int64_t timestamp_us = posting_first ? posting_us : tail_us;
  const bool beside_tail = have_tail && tail_us == timestamp_us;
  const bool beside_cursor = query_.beyond && query_.beyond->timestamp_us == timestamp_us;

  std::vector<Posting> postings;
  if (posting_first) TRY_STATUS(take_postings(timestamp_us, postings));
  if (postings.size() == 1 && !beside_tail && !beside_cursor) {
    ready_.push_back({timestamp_us, {}, postings[0].position, {}, {}});
    return {};
  }
  if (!postings.empty()) TRY_STATUS(take_named(timestamp_us, postings));
  for (; tail_next_ < tail_.size() && tail_[tail_next_].timestamp_us == timestamp_us; ++tail_next_)
    ready_.push_back(std::move(tail_[tail_next_]));
  std::ranges::sort(ready_, [&](const TimeRow& a, const TimeRow& b) {
    return query_.ascending ? a.id < b.id : b.id < a.id;
  });
  // An event may be seen on its way from the tail to the index.
  const auto same = [](const TimeRow& a, const TimeRow& b) { return a.id == b.id; };
  ready_.erase(std::unique(ready_.begin(), ready_.end(), same), ready_.end());
  return {};
}

Status TermRows::take_postings(int64_t timestamp_us, std::vector<Posting>& out) {
  looked_for_us_ = timestamp_us;
  const auto& at = postings_->current();
  while (at && at->timestamp_us == timestamp_us) {
    if (out.size() == kMaxAtOnce)
      return fail(Errc::kInvalidArgument, "too many events have one timestamp");
    out.push_back(*at);
    TRY_STATUS(move_to(direction_.beyond(*at)));
  }
  return {};
}

Status TermRows::take_named(int64_t timestamp_us, const std::vector<Posting>& postings) {
  PageQuery one = at_timestamp(query_.domain, timestamp_us, query_.ascending);
  one.beyond = query_.beyond;
  std::vector<Position> positions;
  for (const auto& posting : postings) positions.push_back(posting.position);
  std::ranges::sort(positions);
  TimeTable::Walk walk(parts_.times, one);
  for (size_t looked_at = 0; walk.valid(); walk.next()) {
    if (++looked_at > kMaxNamed)
      return fail(Errc::kInvalidArgument, "too many events have one timestamp");
    auto row = walk.row();
    if (std::ranges::binary_search(positions, row.position)) ready_.push_back(std::move(row));
  }
  return walk.status();
}

PageCursor TermRows::given_up_at() const {
  const auto& at = postings_->current();
  // Before every id in the direction of travel: they are of printable ASCII.
  return {at ? at->timestamp_us : 0, query_.ascending ? " " : "\x7f"};
}

Result<std::string> TermRows::find_id(const TimeTable& times, DomainUid domain,
                                      const TimeRow& row) {
  const PageQuery one = at_timestamp(domain, row.timestamp_us, true);
  TimeTable::Walk walk(times, one);
  for (; walk.valid(); walk.next()) {
    auto found = walk.row();
    if (found.position == row.position) return std::move(found.id);
  }
  TRY_STATUS(walk.status());
  return std::string();
}

}  // namespace eventhorn::store
