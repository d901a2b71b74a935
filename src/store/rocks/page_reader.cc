#include "store/rocks/page_reader.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

// Rows of a page whose events are fetched together.
constexpr size_t kRowsAtOnce = 256;

// Rows of the tail inside the query's range and beyond its cursor, in the direction of travel, at
// most max_scan.
std::vector<TimeRow> tail_rows(const Tail::Runs& runs, const PageQuery& q) {
  std::vector<const TailEntry*> found;
  for (const auto& run : runs) {
    const size_t n = run->size();
    for (size_t i = 0; i < n; ++i) {
      const auto& e = (*run)[i];
      if (e.domain != q.domain) continue;
      const bool in_range = q.ascending
                                ? e.timestamp_us >= q.first_us && e.timestamp_us < q.last_us
                                : e.timestamp_us <= q.first_us && e.timestamp_us > q.last_us;
      if (!in_range) continue;
      if (q.beyond) {
        const auto at = std::tie(e.timestamp_us, e.id);
        const std::string_view beyond_id = q.beyond->id;
        const auto cursor = std::tie(q.beyond->timestamp_us, beyond_id);
        if (q.ascending ? at <= cursor : at >= cursor) continue;
      }
      found.push_back(&e);
    }
  }
  const auto before = [&](const TailEntry* a, const TailEntry* b) {
    const auto ka = std::tie(a->timestamp_us, a->id);
    const auto kb = std::tie(b->timestamp_us, b->id);
    return q.ascending ? ka < kb : kb < ka;
  };
  const size_t keep = std::min(found.size(), q.max_scan);
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(keep), found.end(),
                    before);
  std::vector<TimeRow> out;
  out.reserve(keep);
  for (size_t i = 0; i < keep; ++i) {
    const auto& e = *found[i];
    out.push_back({e.timestamp_us, std::string(e.id), e.position, e.name, e.severity});
  }
  return out;
}

// The rows of the tail and of the index in the direction of travel.
class MergedRows {
 public:
  /// `runs` were taken before.
  MergedRows(const TimeTable& times, const Tail::Runs& runs, const PageQuery& q)
      : walk_(times, q), tail_(tail_rows(runs, q)), ascending_(q.ascending) {}

  /// nullopt at the end of the range. An index that cannot be read is an error, whatever the tail
  /// still has.
  Result<std::optional<TimeRow>> next() {
    const bool have_tail = tail_next_ < tail_.size();
    if (!walk_.valid()) {
      TRY_STATUS(walk_.status());
      return have_tail ? std::optional(std::move(tail_[tail_next_++])) : std::nullopt;
    }
    TimeRow row = walk_.row();
    if (have_tail) {
      auto& tail = tail_[tail_next_];
      const bool same = row.place() == tail.place();  // seen on its way from the tail to the index
      const bool tail_first =
          same || (ascending_ ? tail.place() < row.place() : row.place() < tail.place());
      if (same) walk_.next();
      if (tail_first) {
        ++tail_next_;
        return std::optional(std::move(tail));
      }
    }
    walk_.next();
    return std::optional(std::move(row));
  }

 private:
  TimeTable::Walk walk_;
  std::vector<TimeRow> tail_;
  const bool ascending_;
  size_t tail_next_ = 0;
};

}  // namespace

/// Rows whose events are wanted and not fetched yet.
struct PageReader::Wanted {
  std::vector<Position> positions{};
  std::vector<PageCursor> cursors{};
  size_t bytes = 0;  // looked at so far

  void add(TimeRow&& row) {
    positions.push_back(row.position);
    cursors.push_back({row.timestamp_us, std::move(row.id)});
  }
};

// Fetches the events of `wanted` and empties it; true when the slice ends with one of them. A
// damaged record is left out and named, because it will not become readable; an error of the disk
// ends the slice, because it may.
Result<bool> PageReader::fetch(const PageQuery& q, Wanted& wanted, PageSlice& out) const {
  size_t taken = 0;
  while (!wanted.positions.empty()) {
    std::vector<EventPtr> events;
    std::vector<Status> each;
    if (!parts_.log.read(wanted.positions, q.max_bytes - wanted.bytes, events))
      each = parts_.log.read_each(wanted.positions, q.max_bytes - wanted.bytes, events);
    for (size_t i = 0; i < events.size(); ++i) {
      auto& event = events[i];
      if (!each.empty() && !each[i]) {
        if (each[i].error().code != Errc::kCorruption) return fail(each[i].error());
        out.damaged.push_back(wanted.cursors[taken].id);
      }
      out.reached = std::move(wanted.cursors[taken++]);
      if (event) wanted.bytes += event->event.bytes.size();
      if (event && (!q.matches || q.matches(event->event.bytes)))
        out.events.push_back(std::move(event));
      if (out.events.size() == q.max_events || wanted.bytes >= q.max_bytes) return true;
      if (q.give_up && taken < wanted.cursors.size() && q.give_up()) return true;
    }
    wanted.positions.erase(wanted.positions.begin(),
                           wanted.positions.begin() + static_cast<std::ptrdiff_t>(events.size()));
  }
  wanted.cursors.clear();
  return false;
}

Result<PageSlice> PageReader::read(const PageQuery& q) const {
  const auto runs = parts_.tail.runs();
  MergedRows merged(parts_.times, runs, q);
  const uint64_t floor = parts_.floors.events;
  PageSlice out;
  Wanted wanted;
  // Rows that need no bytes, because their events are refused or gone, count as reached.
  std::optional<PageCursor> passed;
  for (size_t scanned = 0; scanned < q.max_scan && !out.at_end; ++scanned) {
    TRY(auto row, merged.next());
    if (!row) {
      out.at_end = true;
    } else if (row->position.value < floor ||
               (q.may_match && !q.may_match(row->name, row->severity))) {
      passed = PageCursor{row->timestamp_us, std::move(row->id)};
      continue;
    } else {
      passed.reset();
      wanted.add(std::move(*row));
      const size_t enough = std::min(kRowsAtOnce, q.max_events - out.events.size());
      if (wanted.positions.size() < enough) continue;
    }
    TRY(const bool ended, fetch(q, wanted, out));
    if (ended) out.at_end = false;
    if (ended || (!out.at_end && q.give_up && q.give_up())) return out;
  }
  TRY(const bool ended, fetch(q, wanted, out));
  if (!ended && passed) out.reached = std::move(passed);
  return out;
}

}  // namespace eventhorn::store
