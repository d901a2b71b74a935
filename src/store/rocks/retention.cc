#include "store/rocks/retention.h"

#include "base/log.h"

#include <rocksdb/write_batch.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

constexpr std::chrono::hours kIdsOutliveEvents{24 * 7};

template <class T>
void raise(std::atomic<T>& floor, T to) {
  floor = std::max<T>(floor, to);
}

}  // namespace

Status Retention::load() {
  TRY(const Position events, parts_.floors.greatest());
  raise(floors_->events, events.value);
  TRY(const auto classes, parts_.numbers.load(NumberTable::kClassesFloor));
  if (classes) {
    raise(floors_->classes, *classes);
    return {};
  }
  // Version 1 dropped these rows with their events.
  floors_->classes = floors_->events.load();
  rocksdb::WriteBatch batch;
  parts_.numbers.put(NumberTable::kClassesFloor, floors_->classes, batch);
  return parts_.database.write(batch, "marking the index");
}

Result<uint64_t> Retention::expire(SystemTime events_before, SystemTime attempts_before,
                                   Position head, Position indexed_through) {
  const Position old_floor = floor();
  TRY(const Position since,
      parts_.log.first_committed_since(events_before, old_floor, just_after(head)));
  const Position new_floor = std::min(since, just_after(indexed_through));
  rocksdb::WriteBatch batch;
  TRY(const Position ids, parts_.floors.take(events_before - kIdsOutliveEvents, batch));
  if (ids.value > floors_->classes)
    parts_.numbers.put(NumberTable::kClassesFloor, ids.value, batch);
  if (new_floor > old_floor) {
    parts_.floors.put(events_before, new_floor, batch);
    parts_.log.drop_before(new_floor, batch);
  }
  // The floors are durable before anything goes: they also keep the positions of a log that is now
  // empty from coming again.
  parts_.clock.forget_gaps(std::min(events_before, attempts_before));
  TRY_STATUS(parts_.clock_keeper.write_synced(batch, "dropping old events"));
  raise(floors_->ids, ids.value);
  raise(floors_->classes, ids.value);
  raise(floors_->attempts_us, to_micros(attempts_before));
  if (new_floor <= old_floor) return 0;
  floors_->events = new_floor.value;
  TRY_STATUS(parts_.log.drop_files_before(new_floor));
  const uint64_t dropped = new_floor.value - old_floor.value;
  log_info("store", "retention dropped positions={} below={}", dropped, new_floor.value);
  return dropped;
}

}  // namespace eventhorn::store
