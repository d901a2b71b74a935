#include "store/rocks/retention.h"

#include "base/log.h"
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/scan.h"
#include "store/rocks/status.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

constexpr std::chrono::hours kIdsOutliveEvents{24 * 7};

class RetentionFilter final : public rocksdb::CompactionFilter {
 public:
  RetentionFilter(Family family, std::shared_ptr<Floors> floors)
      : family_(family), floors_(std::move(floors)) {}

  const char* Name() const override { return "eventhorn-retention"; }

  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    switch (family_) {
      case Family::kMeta:  // of all that is there only missed events
        return key.size() == 17 && key[0] == format::kExceptionPrefix && value.size() > 1 &&
               value[1] != 0 && format::get_u64_be(key.data() + 9) < floors_->classes;
      case Family::kIds:
        return value.size() >= 8 && format::get_u64_be(value.data()) < floors_->ids;
      case Family::kTimes:
        return value.size() >= 8 && format::get_u64_be(value.data()) < floors_->events;
      case Family::kClasses:
        return key.size() == 17 && format::get_u64_be(key.data() + 9) < floors_->classes;
      case Family::kAttempts:
        return key.size() >= 16 &&
               static_cast<int64_t>(format::get_u64_be(key.data() + 8)) < floors_->attempts_us;
      case Family::kTries:
        return key.size() == 24 &&
               static_cast<int64_t>(format::get_u64_be(key.data() + 16)) < floors_->attempts_us;
      case Family::kLog:
        break;
    }
    return false;
  }

 private:
  Family family_;
  std::shared_ptr<Floors> floors_;
};

class FilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  FilterFactory(Family family, std::shared_ptr<Floors> floors)
      : family_(family), floors_(std::move(floors)) {}

  const char* Name() const override { return "eventhorn-retention"; }

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<RetentionFilter>(family_, floors_);
  }

 private:
  Family family_;
  std::shared_ptr<Floors> floors_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_retention_filter(
    Family family, std::shared_ptr<Floors> floors) {
  return std::make_shared<FilterFactory>(family, std::move(floors));
}

// Commit times never fall from one position to the next, so the cut is found by halving. Those that
// an older version took from the wall clock may: its jumps only move the cut.
Result<Position> RocksStore::first_committed_since(SystemTime time) const {
  const auto it = rows(kLog);
  uint64_t low = floors_->events;
  uint64_t high = head().value + 1;
  while (low < high) {
    const uint64_t mid = low + (high - low) / 2;
    it->Seek(format::u64_key(mid));
    if (!it->Valid()) {
      TRY_STATUS(to_status(it->status(), "reading the log"));
      high = mid;
      continue;
    }
    const uint64_t found = format::get_u64_be(it->key().data());
    if (found >= high) {  // also what is not visible yet
      high = mid;
      continue;
    }
    TRY(const auto event, format::decode_log({found}, it->value().ToStringView()));
    if (event->committed < time) {
      low = found + 1;
    } else {
      high = mid;
    }
  }
  TRY_STATUS(to_status(it->status(), "reading the log"));
  return Position{low};
}

Result<Position> RocksStore::position_before(SystemTime time) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  const uint64_t floor = floors_->events;
  TRY(const Position first, first_committed_since(time));
  return first.value <= floor ? kNoPosition : Position{first.value - 1};
}

// Each floor is kept with the time it was made for: once the events are gone the log no longer
// tells when they were committed, but their ids stay for 7 days more.
Status RocksStore::load_floors() {
  const auto take = [&](std::string_view, std::string_view value) -> Result<bool> {
    if (value.size() != 8) return fail(Errc::kCorruption, "damaged retention row in the store");
    floors_->events = std::max<uint64_t>(floors_->events, format::get_u64_be(value.data()));
    return true;
  };
  const std::string prefix(1, format::kFloorPrefix);
  TRY_STATUS(scan_prefix(rows(kMeta), prefix, "reading what retention dropped", take));
  TRY(const auto classes, load_mark(format::kClassesFloorKey));
  if (classes) {
    floors_->classes = std::max<uint64_t>(floors_->classes, *classes);
    return {};
  }
  // Version 1 dropped these rows with their events.
  floors_->classes = floors_->events.load();
  rocksdb::WriteBatch batch;
  put_mark(format::kClassesFloorKey, floors_->classes, batch);
  return to_status(db_->Write({}, &batch), "marking the index");
}

// The floor that was made for a time 7 days ago; older ones have served and go.
Result<uint64_t> RocksStore::ids_floor(SystemTime events_before, rocksdb::WriteBatch& batch) const {
  const std::string prefix(1, format::kFloorPrefix);
  const SystemTime served = events_before - kIdsOutliveEvents;
  if (served < SystemTime()) return 0;
  const std::string cut =
      format::meta_key(format::kFloorPrefix, static_cast<uint64_t>(to_micros(served)));
  uint64_t floor = 0;
  std::string last;
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    if (key > cut) return false;
    if (!last.empty()) batch.Delete(family(kMeta), last);
    last = key;
    floor = std::max(floor, format::get_u64_be(value.data()));
    return true;
  };
  TRY_STATUS(scan_prefix(rows(kMeta), prefix, "reading what retention dropped", take));
  return floor;
}

Result<uint64_t> RocksStore::expire(SystemTime events_before, SystemTime attempts_before) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  // An unindexed event must not be dropped: the index would name what is gone.
  const uint64_t head_now = head().value;
  const auto runs = tail_.runs();
  const uint64_t indexed_through =
      runs.front()->size() > 0 ? (*runs.front())[0].position.value - 1 : head_now;
  TRY(const Position events, first_committed_since(events_before));
  const uint64_t floor = std::min(events.value, indexed_through + 1);
  const uint64_t old_floor = floors_->events;
  rocksdb::WriteBatch batch;
  TRY(const uint64_t ids, ids_floor(events_before, batch));
  if (ids > floors_->classes) put_mark(format::kClassesFloorKey, ids, batch);
  const std::string begin = format::u64_key(0);
  const std::string end = format::u64_key(floor);
  if (floor > old_floor) {
    batch.Put(
        family(kMeta),
        format::meta_key(format::kFloorPrefix, static_cast<uint64_t>(to_micros(events_before))),
        format::u64_key(floor));
    batch.DeleteRange(family(kLog), begin, end);
  }
  // The floors are durable before anything goes: they also keep the positions of a log that is now
  // empty from coming again.
  kept_clock_.forget_gaps(std::min(events_before, attempts_before));
  {
    const std::lock_guard clock_lock(clock_mutex_);
    const auto clock = kept_clock_.save();
    put_clock(clock, batch);
    TRY_STATUS(write_synced(batch, "dropping old events"));
    kept_clock_.saved(clock);
  }
  floors_->ids = std::max<uint64_t>(floors_->ids, ids);
  floors_->classes = std::max<uint64_t>(floors_->classes, ids);
  floors_->attempts_us = std::max<int64_t>(floors_->attempts_us, to_micros(attempts_before));
  if (floor <= old_floor) return 0;
  floors_->events = floor;
  const rocksdb::Slice begin_slice(begin);
  const rocksdb::Slice end_slice(end);
  TRY_STATUS(to_status(
      rocksdb::DeleteFilesInRange(db_.get(), family(kLog), &begin_slice, &end_slice, false),
      "dropping old events"));
  log_info("store", "retention dropped positions={} below={}", floor - old_floor, floor);
  return floor - old_floor;
}

Status RocksStore::compact_now() {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  for (auto* f : families_)
    TRY_STATUS(to_status(db_->CompactRange(options, f, nullptr, nullptr), "compacting"));
  return {};
}

}  // namespace eventhorn::store
