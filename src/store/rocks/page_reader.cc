#include "store/rocks/page_reader.h"

#include "store/rocks/page_rows.h"
#include "store/rocks/term_rows.h"

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

// Of a query, because the walk of each holds some rows of the index.
constexpr size_t kMaxTermsWalked = 64;

bool takes(const PageQuery& q, const event::Event& event) {
  return (!q.wants_id || q.wants_id(event.id)) &&
         (!q.may_match || q.may_match(event.name, event.severity)) &&
         (!q.matches || q.matches(event.bytes));
}

// By what its row tells.
bool is_refused(const PageQuery& q, const PageRows& rows, const TimeRow& row) {
  if (q.wants_id && !row.id.empty() && !q.wants_id(row.id)) return true;
  return rows.knows_kinds() && q.may_match && !q.may_match(row.name, row.severity);
}

bool is_beyond(const PageCursor& a, const PageCursor& b, bool ascending) {
  return ascending ? a > b : a < b;
}

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
      auto& cursor = wanted.cursors[taken++];
      if (cursor.id.empty()) {
        TRY(cursor.id, id_of(q.domain, cursor, event, wanted.positions[i]));
      }
      if (!each.empty() && !each[i]) {
        if (each[i].error().code != Errc::kCorruption) return fail(each[i].error());
        if (!cursor.id.empty()) out.damaged.push_back(cursor.id);
      }
      // Retention has just taken the event and its rows: behind every id of its timestamp.
      if (cursor.id.empty()) cursor.id = q.ascending ? "\x7f" : " ";
      out.reached = std::move(cursor);
      if (event) wanted.bytes += event->event.bytes.size();
      if (event && takes(q, event->event)) out.events.push_back(std::move(event));
      if (out.events.size() == q.max_events || wanted.bytes >= q.max_bytes) return true;
      if (q.give_up && taken < wanted.cursors.size() && q.give_up()) return true;
    }
    wanted.positions.erase(wanted.positions.begin(),
                           wanted.positions.begin() + static_cast<std::ptrdiff_t>(events.size()));
  }
  wanted.cursors.clear();
  return false;
}

// Of a row without an id (term_rows.h).
Result<std::string> PageReader::id_of(DomainUid domain, const PageCursor& row,
                                      const EventPtr& event, Position position) const {
  if (event) return event->event.id;
  return TermRows::find_id(parts_.times, domain, {row.timestamp_us, {}, position, {}, {}});
}

Result<PageSlice> PageReader::read(const PageQuery& q) const {
  const auto runs = parts_.tail.runs();
  const uint64_t floor = parts_.floors.events;
  if (!q.terms.any() && q.terms.terms() <= kMaxTermsWalked && parts_.rebuild.done()) {
    TermRows rows({parts_.terms, parts_.times, floor}, runs, q);
    auto slice = read_rows(q, rows, floor);
    if (slice) return slice;
    // What the index does not tell, the events do.
    if (slice.error().code != Errc::kInvalidArgument)
      parts_.unreadable.note("the index of terms", slice.error().message);
    // The time of the slice may have gone into finding that out.
    auto some = q;
    if (std::exchange(some.give_up, nullptr)) some.max_scan = std::min(q.max_scan, kRowsAtOnce);
    AllRows rows_of_all(parts_.times, runs, some);
    return read_rows(some, rows_of_all, floor);
  }
  AllRows rows(parts_.times, runs, q);
  return read_rows(q, rows, floor);
}

Result<PageSlice> PageReader::read_rows(const PageQuery& q, PageRows& rows, uint64_t floor) const {
  PageSlice out;
  Wanted wanted;
  // Rows that need no bytes, because their events are refused or gone, count as reached.
  std::optional<PageCursor> passed;
  for (size_t scanned = 0; scanned < q.max_scan && !out.at_end; ++scanned) {
    auto row = rows.next();
    if (!row && row.error().code == Errc::kCancelled) {
      TRY(const bool ended, fetch(q, wanted, out));
      auto at = rows.given_up_at();
      // A search that gets nowhere would be asked for the same again.
      if (!ended && !out.reached && q.beyond && !is_beyond(at, *q.beyond, q.ascending))
        return fail(Errc::kInvalidArgument, "no progress");
      if (!ended && (!out.reached || is_beyond(at, *out.reached, q.ascending)))
        out.reached = std::move(at);
      return out;
    }
    if (!row) return fail(std::move(row).error());
    auto& found = *row;
    if (!found) {
      out.at_end = true;
    } else if (found->position.value < floor || is_refused(q, rows, *found)) {
      passed = PageCursor{found->timestamp_us, std::move(found->id)};
      continue;
    } else {
      passed.reset();
      wanted.add(std::move(*found));
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
