#include "store/memory/memory_tables.h"

#include "base/check.h"

namespace eventhorn::store {

EventPtr MemoryTables::Event::at(Position position) const {
  auto out = std::make_shared<StoredEvent>();
  out->position = position;
  out->domain = event.domain;
  out->shard = event.shard;
  out->push = event.push;
  out->committed = committed;
  out->event = event.event;
  out->hold();
  return out;
}

const MemoryTables::Event* MemoryTables::find_event(Position position) const {
  if (position < gone_below) return nullptr;
  const auto it = events.find(position);
  return it == events.end() ? nullptr : &it->second;
}

// Commit times never fall from one position to the next.
Position MemoryTables::first_since(SystemTime time) const {
  Position out = gone_below;
  for (auto it = first_event(); it != events.end() && it->second.committed < time; ++it)
    out = just_after(it->first);
  return out;
}

void MemoryTables::drop_expired() {
  for (auto it = events.lower_bound(dropped_below_); it != events.end() && it->first < gone_below;
       ++it) {
    auto& e = it->second.event;
    times.erase({e.domain, e.event.timestamp_us, e.event.id});
    e.event.bytes = {};
  }
  dropped_below_ = gone_below;
  while (!events.empty() && events.begin()->first < forgotten_below) {
    forget(events.begin()->first, events.begin()->second);
    events.erase(events.begin());
  }
  // What waits for a retry stays: its lane ends it.
  std::erase_if(exceptions, [&](const auto& row) {
    return row.second.missed && row.first.second < forgotten_below;
  });
}

void MemoryTables::forget(Position position, const Event& event) {
  const auto& e = event.event;
  ids.erase({e.domain, e.event.id});
  if (const auto hook = webhook::hook_for(e.event.name, e.event.severity))
    lane_events.erase({e.domain, webhook::class_of(*hook), position});
}

void MemoryTables::drop_attempts(SystemTime before) {
  for (auto it = attempts.begin(); it != attempts.end();) {
    const LaneId lane = it->first.lane;
    attempts.erase(it, attempts.lower_bound({lane, before, SystemTime::min(), {}, false}));
    it = attempts.upper_bound({lane, SystemTime::max(), SystemTime::max(), {UINT64_MAX}, true});
  }
}

void MemoryTables::check_invariants() const {
  CHECK(forgotten_below <= gone_below);
  CHECK(gone_below <= next);
  CHECK(events.empty() || events.rbegin()->first < next);
  CHECK(events.size() == ids.size());
  CHECK(times.size() <= events.size());
  CHECK(lane_events.size() <= events.size());
}

}  // namespace eventhorn::store
