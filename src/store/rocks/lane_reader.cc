#include "store/rocks/lane_reader.h"

#include <rocksdb/iterator.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

// Rows that one read looks at: a lane may want few of its class.
constexpr size_t kMaxScan = 16'384;

// Missed events whose size is looked up; the others are taken to be like them.
constexpr size_t kSampledSizes = 64;

}  // namespace

/// The positions that a read found, before it fetches their events.
struct LaneReader::Candidates {
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

Status LaneReader::find_in_index(Candidates& found) const {
  const auto has_room = [&] {
    if (found.full()) found.stop();
    return !found.full();
  };
  const auto take = [&](Position position, webhook::Hook hook) { found.look_at(position, hook); };
  const auto& q = found.query;
  return parts_.classes.scan(q.domain, q.cls, q.after, found.to, has_room, take);
}

void LaneReader::find_in_tail(const Tail::Runs& runs, Candidates& found) {
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

Status LaneReader::find_missed(Candidates& found) const {
  const auto take = [&](const ExceptionRow& row) -> Result<bool> {
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
  };
  return parts_.exceptions.scan(found.query.lane, found.query.after, take);
}

Result<LaneSlice> LaneReader::read(const LaneQuery& q, Position head) const {
  Candidates found{q, q.to ? std::min(*q.to, head) : head, parts_.floors.events};
  if (q.source == SegmentRow::Source::kMissed) {
    TRY_STATUS(find_missed(found));
  } else {
    const auto runs = parts_.tail.runs();
    TRY_STATUS(find_in_index(found));
    if (!found.stopped) find_in_tail(runs, found);
  }
  return fetch(found);
}

Result<LaneSlice> LaneReader::fetch(Candidates& found) const {
  const auto& q = found.query;
  LaneSlice out;
  out.through = found.stopped.value_or(found.to);
  out.at_end = !found.stopped;
  out.expired = found.expired;
  std::vector<EventPtr> events;
  std::vector<Status> each;
  if (!parts_.log.read(found.positions, q.max_bytes, events))
    each = parts_.log.read_each(found.positions, q.max_bytes, events);
  // What is missing beyond the floor was erased, if retention has not just dropped it.
  Position kept{found.floor};
  const bool some_missing = each.empty() && std::ranges::find(events, nullptr) != events.end();
  if (some_missing || !each.empty()) {
    TRY(kept, parts_.dropped.greatest());
  }
  size_t bytes = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    auto& event = events[i];
    if (!each.empty() && !each[i]) {
      out.unreadable.push_back({found.positions[i], found.hooks[i]});
      continue;
    }
    if (!event) {
      if (found.positions[i] < kept) ++out.expired;
      continue;
    }
    bytes += event->event.bytes.size();
    if (bytes > q.max_bytes && !out.events.empty()) {
      out.through = just_before(found.positions[i]);
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

Result<EventCount> LaneReader::count(const LaneQuery& q, Position head) const {
  const Position to = q.to ? std::min(*q.to, head) : head;
  if (q.source == SegmentRow::Source::kMissed) return count_missed(q, to);
  const auto runs = parts_.tail.runs();
  // What is in a run is counted there, also when it has come to the index meanwhile.
  Position indexed_to = to;
  if (runs.front()->size() > 0) indexed_to = std::min(to, just_before((*runs.front())[0].position));
  EventCount out;
  TRY_STATUS(count_indexed(q, indexed_to, out));
  for (const auto& run : runs) {
    const size_t n = run->size();
    for (size_t i = run->first_after(q.after); i < n && (*run)[i].position <= to; ++i) {
      const auto& e = (*run)[i];
      if (e.domain != q.domain) continue;
      const auto hook = e.hook();
      if (hook && q.wants(*hook, e.position)) add_event(out, e.bytes);
    }
  }
  return out;
}

Status LaneReader::count_indexed(const LaneQuery& q, Position to, EventCount& out) const {
  const auto rows = parts_.classes.rows();
  // Taken after the iterator is open: below it rows may be missing here and there.
  const uint64_t floor = parts_.floors.classes;
  ClassTable::Walk walk(*rows, q.domain, q.cls);
  uint64_t looked_at = 0;
  // Hooks of one lane mostly begin together, and then share their walk.
  std::optional<Position> counted_after;
  ClassTotals counted{};
  for (const auto hook : webhook::kAllHooks) {
    const auto& since = q.since[static_cast<size_t>(hook)];
    if (!since || webhook::class_of(hook) != q.cls) continue;
    const Position after = std::max({q.after, *since, Position{floor == 0 ? 0 : floor - 1}});
    if (after >= to) continue;
    if (counted_after != after) {
      TRY(counted, walk.count(after, to, looked_at));
      counted_after = after;
    }
    out.events += counted[class_slot(hook)].events;
    out.bytes += counted[class_slot(hook)].bytes;
  }
  rows_counted_.fetch_add(looked_at, std::memory_order_relaxed);
  return {};
}

// Missed events are few enough to be looked at one by one.
Result<EventCount> LaneReader::count_missed(const LaneQuery& q, Position to) const {
  const uint64_t floor = parts_.floors.events;
  EventCount out;
  EventCount sample;
  const auto count = [&](const ExceptionRow& row) -> Result<bool> {
    if (row.position > to) return false;
    if (!row.missed || row.position.value < floor || !q.wants(row.hook, row.position)) return true;
    ++out.events;
    if (out.events > kSampledSizes) return true;
    TRY(const auto indexed, parts_.classes.find(q.domain, q.cls, row.position));
    if (indexed) add_event(sample, indexed->bytes);
    return true;
  };
  TRY_STATUS(parts_.exceptions.scan(q.lane, q.after, count));
  if (sample.events > 0) out.bytes = sample.bytes * out.events / sample.events;
  return out;
}

}  // namespace eventhorn::store
