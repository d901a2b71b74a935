// What a lane that is behind reads: its events in the log, by the catch-up index and the tail, or
// the ones that it missed. The order of opening is as in read.cc: the runs of the tail first.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/scan.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

// Rows that one read looks at: a lane may want few of its class.
constexpr size_t kMaxScan = 16'384;

}  // namespace

/// The positions that a read found, before it fetches their events.
struct RocksStore::Candidates {
  const LaneQuery& query;
  const Position to;
  /// Positions below are gone: they are counted, not fetched.
  const uint64_t floor;
  std::vector<Position> positions{};
  std::vector<webhook::Hook> hooks{};  // of the positions
  size_t expired = 0;
  size_t scanned = 0;
  Position last = query.after;
  /// Where the search ended before `to`.
  std::optional<Position> stopped{};

  bool full() const { return positions.size() == query.max_events || scanned == kMaxScan; }

  void stop() { stopped = last; }

  void look_at(Position position, webhook::Hook hook) {
    ++scanned;
    last = position;
    if (!query.wants(hook, position)) return;
    if (position.value < floor) {
      ++expired;
    } else {
      positions.push_back(position);
      hooks.push_back(hook);
    }
  }
};

Status RocksStore::candidates_from_index(Candidates& found) const {
  const auto& q = found.query;
  const std::string prefix = format::class_prefix(q.domain, q.cls);
  const std::string from = format::class_key(q.domain, q.cls, {q.after.value + 1});
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    const Position position{format::get_u64_be(key.data() + prefix.size())};
    if (position > found.to) return false;
    if (found.full()) {
      found.stop();
      return false;
    }
    TRY(const auto row, format::decode_class(value));
    found.look_at(position, row.hook);
    return true;
  };
  return scan_prefix(rows(kClasses), prefix, from, "reading the catch-up index", take);
}

void RocksStore::candidates_from_tail(const Tail::Runs& runs, Candidates& found) {
  for (const auto& run : runs) {
    const size_t n = run->size();
    for (size_t i = run->first_after(found.last); i < n && (*run)[i].position <= found.to; ++i) {
      const auto& e = (*run)[i];
      if (e.domain != found.query.domain) continue;
      const auto hook = e.hook();
      if (!hook || !found.query.wants(*hook, e.position)) continue;
      if (found.full()) {
        found.stop();
        return;
      }
      found.look_at(e.position, *hook);
    }
  }
}

Status RocksStore::candidates_from_missed(Candidates& found) const {
  const auto& q = found.query;
  return scan_exceptions(q.lane, q.after, [&](const ExceptionRow& row) -> Result<bool> {
    if (row.position > found.to) return false;
    if (found.full()) {
      found.stop();
      return false;
    }
    if (row.missed) {
      found.look_at(row.position, row.hook);
    } else {
      ++found.scanned;
      found.last = row.position;
    }
    return true;
  });
}

Result<LaneSlice> RocksStore::read_lane(const LaneQuery& q) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  const Position head_now = head();
  Candidates found{q, q.to ? std::min(*q.to, head_now) : head_now, floors_->events};
  if (q.source == SegmentRow::Source::kMissed) {
    TRY_STATUS(candidates_from_missed(found));
  } else {
    const auto runs = tail_.runs();
    TRY_STATUS(candidates_from_index(found));
    if (!found.stopped) candidates_from_tail(runs, found);
  }

  LaneSlice out;
  out.through = found.stopped.value_or(found.to);
  out.at_end = !found.stopped;
  out.expired = found.expired;
  std::vector<EventPtr> events;
  std::vector<Status> each;
  if (!fetch(found.positions, q.max_bytes, events))
    each = fetch_each(found.positions, q.max_bytes, events);
  size_t bytes = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    auto& event = events[i];
    if (!each.empty() && !each[i]) {
      out.unreadable.push_back({found.positions[i], found.hooks[i]});
      continue;
    }
    if (!event) {
      ++out.expired;
      continue;
    }
    bytes += event->event.bytes.size();
    if (bytes > q.max_bytes && !out.events.empty()) {
      out.through = {found.positions[i].value - 1};
      out.at_end = false;
      return out;
    }
    out.events.push_back(std::move(event));
  }
  if (events.size() < found.positions.size()) {
    out.through = found.positions[events.size() - 1];
    out.at_end = false;
  }
  return out;
}

}  // namespace eventhorn::store
