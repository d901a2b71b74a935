// The write path of the embedded engine: one WriteBatch and one WAL fsync per commit.
#include "base/hash.h"
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/slice.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

namespace eventhorn::store {

Status RocksStore::commit(WriteSet& set) {
  const std::shared_lock lock(db_mutex_);
  if (failed_ || !db_) return fail(Errc::kUnavailable, kNotReopened);
  const uint64_t first_position = next_position_;
  rocksdb::WriteBatch batch;
  find_duplicates(set);
  TRY_STATUS(put_appends(set, batch));
  TRY_STATUS(put_edits(set, batch));
  auto status = write(batch, !set.appends.empty());
  // Synced apart from the write: RocksDB holds its write queue during a synced write, and progress
  // must not wait for the disk. Nothing is visible before it: readers see up to head(), which
  // publish() moves.
  if (status) status = sync_wal();
  if (!status) {
    kept_clock_.lost();
    next_position_ = first_position;
    return status;
  }
  publish(set);
  return {};
}

Result<SaveToken> RocksStore::save(std::span<const Progress* const> progress) {
  const std::shared_lock lock(db_mutex_);
  if (failed_ || !db_) return fail(Errc::kUnavailable, kNotReopened);
  rocksdb::WriteBatch batch;
  bool has_stamps = false;
  for (const auto* one : progress) {
    TRY_STATUS(put_progress(*one, batch));
    has_stamps = has_stamps || !one->attempts.empty();
  }
  TRY_STATUS(write(batch, has_stamps));
  return durability_.saved();
}

Status RocksStore::flush() {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  return sync_wal();
}

/// Unsynced. `has_stamps`: rows of the batch carry stamps of the kept clock.
Status RocksStore::write(rocksdb::WriteBatch& batch, bool has_stamps) {
  std::unique_lock<std::mutex> clock_lock;
  std::optional<KeptClock::Saved> clock;
  if (has_stamps && kept_clock_.due()) {
    clock_lock = std::unique_lock(clock_mutex_);
    clock = kept_clock_.save();
    put_clock(*clock, batch);
  }
  if (batch.Count() == 0) return {};
  auto status = to_status(db_->Write({}, &batch), "writing to the store");
  if (!status) {
    const std::lock_guard lock(sync_mutex_);
    note_failure();
    kept_clock_.lost();
    return status;
  }
  if (clock) kept_clock_.saved(*clock);
  return {};
}

void RocksStore::put_clock(const KeptClock::Saved& saved, rocksdb::WriteBatch& batch) const {
  batch.Put(family(kMeta), to_slice(format::kKeptClockKey), format::encode_kept_clock(saved));
}

Status RocksStore::put_edits(WriteSet& set, rocksdb::WriteBatch& batch) {
  if (set.edits.empty()) return {};
  // Edits of one set see each other, but domains_ changes only when all of it is durable.
  std::map<std::string, DomainPtr> changed;
  for (auto& edit : set.edits) {
    const auto known = domains_.find(edit.name);
    const DomainPtr before = changed.contains(edit.name) ? changed[edit.name]
                             : known == domains_.end()   ? nullptr
                                                         : known->second;
    const Position at{next_position_};
    next_position_ += kEditStride;
    auto after = edit.edit(before, at);
    if (!after) {
      edit.outcome = fail(std::move(after).error());
      continue;
    }
    const std::string key = format::meta_key(format::kDomainPrefix, edit.name);
    if (*after) {
      batch.Put(family(kMeta), key, format::encode_domain(**after));
    } else {
      batch.Delete(family(kMeta), key);
    }
    changed[edit.name] = *after;
    edit.outcome = DomainChange{at, before, *after};
  }
  put_mark(format::kNextPositionKey, next_position_, batch);
  return {};
}

// An id that cannot be read costs its own append: all else of the set goes on.
void RocksStore::find_duplicates(WriteSet& set) {
  if (set.appends.empty()) return;
  std::map<std::pair<uint64_t, std::string_view>, size_t> in_set;  // the first of each id
  std::vector<size_t> unknown;
  std::vector<size_t> repeats;
  std::vector<std::string> keys;
  using Outcome = WriteSet::Append::Outcome;
  const auto judge = [](WriteSet::Append& a, uint64_t known_hash) {
    a.outcome =
        known_hash == hash_bytes(a.event.event.bytes) ? Outcome::kDuplicate : Outcome::kConflicting;
  };
  for (size_t i = 0; i < set.appends.size(); ++i) {
    auto& a = set.appends[i];
    const auto& e = a.event.event;
    if (const auto found = tail_.find(a.event.domain, e.id)) {
      judge(a, found->content_hash);
      continue;
    }
    if (!in_set.try_emplace({a.event.domain.value, e.id}, unknown.size()).second) {
      repeats.push_back(i);
      continue;
    }
    unknown.push_back(i);
    keys.push_back(format::id_key(a.event.domain, e.id));
  }
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(slices.size());
  std::vector<rocksdb::Status> statuses(slices.size());
  db_->MultiGet({}, family(kIds), slices.size(), slices.data(), values.data(), statuses.data());
  const auto hash_of = [&](size_t k) { return format::get_u64_be(values[k].data() + 8); };
  for (size_t k = 0; k < slices.size(); ++k) {
    auto& a = set.appends[unknown[k]];
    if (statuses[k].IsNotFound()) continue;
    if (!statuses[k].ok() || values[k].size() < 16) {
      a.outcome = Outcome::kUnreadable;
      note_unreadable("an event id", statuses[k].ToString());
    } else {
      judge(a, hash_of(k));
    }
  }
  for (const size_t i : repeats) {
    auto& a = set.appends[i];
    const size_t k = in_set[{a.event.domain.value, a.event.event.id}];
    const auto& first = set.appends[unknown[k]];
    if (first.outcome == Outcome::kUnreadable) {
      a.outcome = Outcome::kUnreadable;
    } else {
      judge(a,
            first.outcome == Outcome::kStored ? hash_bytes(first.event.event.bytes) : hash_of(k));
    }
  }
}

Status RocksStore::put_appends(WriteSet& set, rocksdb::WriteBatch& batch) {
  const SystemTime now = kept_clock_.now();
  for (auto& a : set.appends) {
    if (a.outcome != WriteSet::Append::Outcome::kStored) continue;
    const Position position{next_position_++};
    const std::string key = format::u64_key(position.value);
    const std::string header = format::log_header(a.event, now);
    const rocksdb::Slice key_parts[] = {key};
    const rocksdb::Slice value_parts[] = {header, a.event.event.bytes};
    TRY_STATUS(
        to_status(batch.Put(family(kLog), {key_parts, 1}, {value_parts, 2}), "batching an event"));
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

Status RocksStore::put_progress(const Progress& progress, rocksdb::WriteBatch& batch) {
  auto* meta = family(kMeta);
  for (const auto& row : progress.lanes)
    batch.Put(meta, format::meta_key(format::kLanePrefix, row.lane.value),
              format::encode_lane(row));
  for (const LaneId lane : progress.settled_lanes)
    batch.Delete(meta, format::meta_key(format::kLanePrefix, lane.value));
  auto next = progress.exceptions.begin();
  const auto put_exceptions = [&](size_t count) {
    for (; next - progress.exceptions.begin() < static_cast<std::ptrdiff_t>(count); ++next) {
      batch.Put(meta,
                format::meta_key(format::kExceptionPrefix, next->lane.value, next->position.value),
                format::encode_exception(*next));
    }
  };
  for (const auto& ended : progress.ended_exceptions) {
    put_exceptions(std::min(ended.after, progress.exceptions.size()));
    batch.Delete(
        meta, format::meta_key(format::kExceptionPrefix, ended.lane.value, ended.position.value));
  }
  put_exceptions(progress.exceptions.size());
  // Last: rows written while the lane still lived go with it.
  for (const LaneId lane : progress.ended_lanes) {
    batch.Delete(meta, format::meta_key(format::kLanePrefix, lane.value));
    batch.DeleteRange(meta, format::meta_key(format::kExceptionPrefix, lane.value),
                      format::meta_key(format::kExceptionPrefix, lane.value + 1));
  }
  for (const auto& row : progress.endpoints) {
    batch.Put(meta, format::meta_key(format::kEndpointPrefix, row.url),
              format::encode_endpoint(row));
  }
  for (const auto& url : progress.well_endpoints)
    batch.Delete(meta, format::meta_key(format::kEndpointPrefix, url));
  if (progress.mark) {
    batch.Put(meta, format::mark_key(progress.mark->slots),
              format::encode_mark(progress.mark->settled_through));
  }
  put_attempts(progress.attempts, batch);
  return {};
}

void RocksStore::publish(WriteSet& set) {
  if (!set.edits.empty()) {
    const MutexLock lock(domains_mutex_);
    for (auto& edit : set.edits) {
      if (!edit.outcome) continue;
      if (edit.outcome->after) {
        domains_[edit.name] = edit.outcome->after;
      } else {
        domains_.erase(edit.name);
      }
    }
  }
  for (const auto& a : set.appends) {
    if (a.stored) tail_.append(TailEntry::of(*a.stored));
  }
  head_.store(next_position_ - 1, std::memory_order_release);
  if (index_failures_ == 0 && tail_.oldest_closed()) indexer_->wake();
}

}  // namespace eventhorn::store
