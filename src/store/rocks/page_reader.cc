#include "store/rocks/page_reader.h"

#include "store/rocks/account_rows.h"
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

bool takes(const PageQuery& q, const StoredEvent& stored) {
  const auto& event = stored.event;
  return (!q.domains || q.domains->has(stored.domain)) && (!q.wants_id || q.wants_id(event.id)) &&
         (!q.may_match || q.may_match(event.name, event.severity)) &&
         (!q.matches || q.matches(event.bytes));
}

// By what its row tells.
bool is_refused(const PageQuery& q, const PageRows& rows, const TimeRow& row) {
  if (q.wants_id && !row.id.empty() && !q.wants_id(row.id)) return true;
  return rows.knows_kinds() && q.may_match && !q.may_match(row.name, row.severity);
}

// What tells of an event that is left out.
std::string name_of(const PageCursor& row) {
  return row.id.empty() && row.position > kNoPosition
             ? "at position " + std::to_string(row.position.value)
             : row.id;
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

  void add(PageCursor row, Position position) {
    positions.push_back(position);
    cursors.push_back(std::move(row));
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
      TRY_STATUS(complete(q, cursor, event, wanted.positions[i]));
      if (!each.empty() && !each[i]) {
        if (each[i].error().code != Errc::kCorruption) return fail(each[i].error());
        if (const auto name = name_of(cursor); !name.empty()) out.damaged.push_back(name);
      }
      // Retention has just taken the event and its rows: behind every id of its timestamp.
      if (cursor.id.empty() && !q.domains) cursor.id = q.ascending ? "\x7f" : " ";
      out.reached = std::move(cursor);
      if (event) wanted.bytes += event->event.bytes.size();
      if (event && takes(q, *event)) out.events.push_back(std::move(event));
      if (out.events.size() == q.max_events || wanted.bytes >= q.max_bytes) return true;
      if (q.give_up && taken < wanted.cursors.size() && q.give_up()) return true;
    }
    wanted.positions.erase(wanted.positions.begin(),
                           wanted.positions.begin() + static_cast<std::ptrdiff_t>(events.size()));
  }
  wanted.cursors.clear();
  return false;
}

// The row of a domain's event with its id (term_rows.h).
Status PageReader::complete(const PageQuery& q, PageCursor& row, const EventPtr& event,
                            Position position) const {
  if (q.domains || !row.id.empty()) return {};
  if (event) {
    row.id = event->event.id;
    return {};
  }
  const TimeRow without{row.timestamp_us, {}, position, {}, {}};
  TRY(row.id, TermRows::find_id(parts_.times, q.domain, without));
  return {};
}

Result<PageSlice> PageReader::read(const PageQuery& q) const {
  const auto runs = parts_.tail.runs();
  const uint64_t floor = parts_.floors.events;
  const auto rows = parts_.rebuild.done() ? rows_by_terms(q, runs, floor) : nullptr;
  if (!rows) return read_rows(q, *rows_by_times(q, runs, floor), floor);
  auto slice = read_rows(q, *rows, floor);
  if (slice) return slice;
  // What the index does not tell, the events do.
  if (slice.error().code != Errc::kInvalidArgument)
    parts_.unreadable.note("the index of terms", slice.error().message);
  // The time of the slice may have gone into finding that out.
  auto some = q;
  if (std::exchange(some.give_up, nullptr)) some.max_scan = std::min(q.max_scan, kRowsAtOnce);
  return read_rows(some, *rows_by_times(some, runs, floor), floor);
}

// Null where the terms are of no use.
std::unique_ptr<PageRows> PageReader::rows_by_terms(const PageQuery& q, const Tail::Runs& runs,
                                                    uint64_t floor) const {
  if (q.domains) {
    if (q.terms.any() && q.domains->domains.size() <= AccountRows::kMaxDomains) return nullptr;
    return std::make_unique<AccountRows>(
        AccountRows::Parts{parts_.terms, parts_.times, floor, true}, runs, q);
  }
  if (q.terms.any() || q.terms.terms() > kMaxTermsWalked) return nullptr;
  return std::make_unique<TermRows>(TermRows::Parts{parts_.terms, parts_.times, floor}, runs, q);
}

std::unique_ptr<PageRows> PageReader::rows_by_times(const PageQuery& q, const Tail::Runs& runs,
                                                    uint64_t floor) const {
  if (q.domains)
    return std::make_unique<AccountRows>(
        AccountRows::Parts{parts_.terms, parts_.times, floor, false}, runs, q);
  return std::make_unique<AllRows>(parts_.times, runs, q);
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
      passed = cursor_of(q, *found);
      continue;
    } else {
      passed.reset();
      wanted.add(cursor_of(q, *found), found->position);
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
