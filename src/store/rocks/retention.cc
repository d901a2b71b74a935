#include "store/rocks/retention.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>

#include "base/log.h"
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

namespace eventhorn::store {
namespace {

constexpr std::chrono::hours kIdsOutliveEvents{24 * 7};

class RetentionFilter final : public rocksdb::CompactionFilter {
 public:
  RetentionFilter(IndexKind kind, std::shared_ptr<Floors> floors) : kind_(kind), floors_(std::move(floors)) {}

  const char* Name() const override { return "eventhorn-retention"; }

  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*, bool*) const override {
    switch (kind_) {
      case IndexKind::kIds: return value.size() >= 8 && format::get_u64_be(value.data()) < floors_->ids;
      case IndexKind::kTimes: return value.size() >= 8 && format::get_u64_be(value.data()) < floors_->events;
      case IndexKind::kClasses: return key.size() == 17 && format::get_u64_be(key.data() + 9) < floors_->events;
      case IndexKind::kAttempts: return key.size() >= 16 && static_cast<int64_t>(format::get_u64_be(key.data() + 8)) < floors_->attempts_us;
    }
    return false;
  }

 private:
  IndexKind kind_;
  std::shared_ptr<Floors> floors_;
};

class FilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  FilterFactory(IndexKind kind, std::shared_ptr<Floors> floors) : kind_(kind), floors_(std::move(floors)) {}

  const char* Name() const override { return "eventhorn-retention"; }

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<RetentionFilter>(kind_, floors_);
  }

 private:
  IndexKind kind_;
  std::shared_ptr<Floors> floors_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_retention_filter(IndexKind kind, std::shared_ptr<Floors> floors) {
  return std::make_shared<FilterFactory>(kind, std::move(floors));
}

// Commit times rise with positions (but for clock jumps, which only move the cut), so the cut is found by halving.
Result<Position> RocksStore::first_committed_since(SystemTime time) const {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kLog)));
  uint64_t low = floors_->events;
  uint64_t high = head().value + 1;
  while (low < high) {
    const uint64_t mid = low + (high - low) / 2;
    it->Seek(format::u64_key(mid));
    if (!it->Valid()) {
      high = mid;
      continue;
    }
    const uint64_t found = format::get_u64_be(it->key().data());
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

Result<uint64_t> RocksStore::expire(SystemTime events_before, SystemTime attempts_before) {
  const std::shared_lock lock(db_mutex_);
  // An unindexed event must not be dropped: the index would name what is gone.
  const auto runs = tail_.runs();
  uint64_t indexed_through = head().value;
  if (runs.front()->size() > 0) indexed_through = (*runs.front())[0].position.value - 1;
  TRY(const Position events, first_committed_since(events_before));
  TRY(const Position ids, first_committed_since(events_before - kIdsOutliveEvents));
  const uint64_t floor = std::min(events.value, indexed_through + 1);
  const uint64_t old_floor = floors_->events;
  floors_->ids = std::max<uint64_t>(floors_->ids, std::min(ids.value, floor));
  floors_->attempts_us = to_micros(attempts_before);
  if (floor <= old_floor) return 0;
  floors_->events = floor;
  const std::string begin = format::u64_key(0);
  const std::string end = format::u64_key(floor);
  const rocksdb::Slice begin_slice(begin);
  const rocksdb::Slice end_slice(end);
  TRY_STATUS(to_status(rocksdb::DeleteFilesInRange(db_.get(), family(kLog), &begin_slice, &end_slice, false), "dropping old events"));
  TRY_STATUS(to_status(db_->DeleteRange({}, family(kLog), begin, end), "dropping old events"));
  log_info("store", "retention dropped positions={} below={}", floor - old_floor, floor);
  return floor - old_floor;
}

}  // namespace eventhorn::store
