// What is written: a commit is one WriteBatch and one sync of the write-ahead log.
#include "base/check.h"
#include "store/rocks/embedded_engine.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

namespace eventhorn::store {

Status EmbeddedEngine::commit(WriteSet& set) {
  TRY(const auto use, database_.use());
  TRY_STATUS(wal_.takes_writes());
  const uint64_t first_position = next_position_;
  rocksdb::WriteBatch batch;
  ids_.judge(set.appends);
  const SystemTime now = kept_clock_.now();
  TRY_STATUS(put_appends(set, now, batch));
  if (!set.edits.empty()) {
    domains_.run(set.edits, next_position_, batch);
    tables_.numbers.put(NumberTable::kNextPosition, next_position_, batch);
  }
  auto status = clock_keeper_.write(batch, !set.appends.empty());
  // Synced apart from the write: RocksDB holds its write queue during a synced write, and progress
  // must not wait for the disk. Nothing is visible before it: readers see up to head(), which
  // publish() moves.
  if (status) status = wal_.sync();
  if (!status) {
    clock_keeper_.lost();
    next_position_ = first_position;
    return status;
  }
  publish(set, now);
  return {};
}

Status EmbeddedEngine::put_appends(WriteSet& set, SystemTime now, rocksdb::WriteBatch& batch) {
  for (auto& a : set.appends) {
    if (a.outcome != WriteSet::Append::Outcome::kStored) continue;
    const Position position{next_position_++};
    TRY_STATUS(tables_.log.put(position, a.event, now, batch));
    if (a.event.terms.empty()) a.event.terms = event::terms_of(a.event.event.bytes);
    auto stored = std::make_shared<StoredEvent>();
    stored->position = position;
    stored->domain = a.event.domain;
    stored->shard = a.event.shard;
    stored->push = a.event.push;
    stored->committed = now;
    stored->event = std::move(a.event.event);
    stored->hold();
    a.stored = std::move(stored);
  }
  return {};
}

void EmbeddedEngine::publish(const WriteSet& set, SystemTime at) {
  domains_.publish(set.edits);
  for (const auto& a : set.appends) {
    if (a.stored) tail_.append(TailEntry::of(*a.stored, a.event.terms));
  }
  CHECK(next_position_ > head().value);
  head_.store(next_position_ - 1, std::memory_order_release);
  see_commit(at);
  indexer_.appended();
}

void EmbeddedEngine::see_commit(SystemTime at) {
  const MutexLock lock(last_commit_mutex_);
  last_commit_ = {head(), std::max(at, last_commit_.at)};
}

Result<SaveToken> EmbeddedEngine::save(std::span<const Progress* const> progress) {
  TRY(const auto use, database_.use());
  TRY_STATUS(wal_.takes_writes());
  rocksdb::WriteBatch batch;
  bool has_stamps = false;
  for (const auto* one : progress) {
    progress_.put(*one, batch);
    has_stamps = has_stamps || !one->attempts.empty();
  }
  TRY_STATUS(clock_keeper_.write(batch, has_stamps));
  return wal_.saved();
}

Status EmbeddedEngine::flush() {
  TRY(const auto use, database_.use());
  return wal_.sync();
}

Status EmbeddedEngine::replace_marks(std::span<const SlotMark> marks) {
  TRY(const auto use, database_.use());
  rocksdb::WriteBatch batch;
  TRY_STATUS(tables_.marks.replace(marks, batch));
  return wal_.write_synced(batch, "saving progress");
}

Status EmbeddedEngine::save_value(const std::string& key, const std::string& value) {
  TRY(const auto use, database_.use());
  rocksdb::WriteBatch batch;
  tables_.values.put(key, value, batch);
  return wal_.write_synced(batch, "saving a setting");
}

Status EmbeddedEngine::remove_value(const std::string& key) {
  TRY(const auto use, database_.use());
  rocksdb::WriteBatch batch;
  tables_.values.remove(key, batch);
  return wal_.write_synced(batch, "removing a setting");
}

Status EmbeddedEngine::save_values(const ValueChanges& changes) {
  TRY(const auto use, database_.use());
  TRY_STATUS(wal_.takes_writes());
  rocksdb::WriteBatch batch;
  for (const auto& [key, value] : changes) {
    if (value) {
      tables_.values.put(key, *value, batch);
    } else {
      tables_.values.remove(key, batch);
    }
  }
  return wal_.write(batch, "saving values");
}

// The end of what both the log and the indexes have.
Position EmbeddedEngine::indexed_through() const {
  const Position head_now = head();
  const auto runs = tail_.runs();
  return runs.front()->size() > 0 ? just_before((*runs.front())[0].position) : head_now;
}

Result<uint64_t> EmbeddedEngine::expire(SystemTime events_before, SystemTime attempts_before) {
  TRY(const auto use, database_.use());
  const Position indexed = indexed_through();
  return retention_.expire(events_before, attempts_before, head(), indexed);
}

Result<SystemTime> EmbeddedEngine::cut_to_bytes(uint64_t bytes) {
  TRY(const auto use, database_.use());
  return tables_.log.cut_to_bytes(bytes, retention_.floor(), head());
}

Result<EraseSlice> EmbeddedEngine::erase(const EraseQuery& query,
                                         const std::vector<LaneId>& lanes) {
  CHECK(query.through <= head());
  if (indexed_through() < query.through) TRY_STATUS(index_now());
  const auto pause = indexer_.pause();
  TRY(const auto use, database_.use());
  return eraser_.erase(query, lanes);
}

Result<EraseAttemptsSlice> EmbeddedEngine::erase_attempts(
    const std::string& after, const std::function<bool(std::string& text)>& change) {
  TRY(const auto use, database_.use());
  return eraser_.erase_attempts(after, change);
}

Result<bool> EmbeddedEngine::values_mention(
    const std::string& prefix, const std::function<bool(std::string_view value)>& mentions) {
  TRY(const auto use, database_.use());
  return eraser_.values_mention(prefix, mentions);
}

// Each with the database in use for itself, so that it can be closed between two.
Status EmbeddedEngine::purge(DomainUid domain, std::optional<PositionRange> changed) {
  {
    TRY(const auto use, database_.use());
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    for (size_t i = 0; i < kFamilyNames.size(); ++i)
      families.push_back(database_.family(Family{i}));
    // With what is in memory the log files of before go.
    TRY_STATUS(to_status(database_->Flush({}, families), "writing tables"));
  }
  const std::string none;
  TRY_STATUS(rewrite_tables(Family::kMeta, none, none));
  TRY_STATUS(rewrite_tables(Family::kAttempts, none, none));
  if (!changed) return {};
  // Those of a domain are everywhere in it: terms come first in its keys.
  TRY_STATUS(rewrite_tables(Family::kTerms, none, none));
  const std::string first = format::u64_key(domain.value);
  const std::string last = format::u64_key(domain.value + 1);
  TRY_STATUS(rewrite_tables(Family::kLog, LogTable::key(changed->first),
                            LogTable::key(just_after(changed->last))));
  TRY_STATUS(rewrite_tables(Family::kIds, first, last));
  return rewrite_tables(Family::kTimes, first, last);
}

void EmbeddedEngine::end_purges() {
  ending_ = true;
  no_purges_ = true;
}

// Those with keys from `begin` to `end`; all when they are empty.
Status EmbeddedEngine::rewrite_tables(Family family, const std::string& begin,
                                      const std::string& end) {
  TRY(const auto use, database_.use());
  if (no_purges_) return fail(Errc::kCancelled, "the store is about to be closed");
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  options.exclusive_manual_compaction = false;
  options.canceled = &no_purges_;
  const rocksdb::Slice first(begin);
  const rocksdb::Slice last(end);
  const auto status =
      database_->CompactRange(options, database_.family(family), begin.empty() ? nullptr : &first,
                              end.empty() ? nullptr : &last);
  if (status.IsIncomplete() && no_purges_)
    return fail(Errc::kCancelled, "the store is about to be closed");
  return to_status(status, "writing tables anew");
}

Status EmbeddedEngine::compact_now() {
  TRY(const auto use, database_.use());
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    TRY_STATUS(
        to_status(database_->CompactRange(options, database_.family(Family{i}), nullptr, nullptr),
                  "compacting"));
  }
  return {};
}

}  // namespace eventhorn::store
