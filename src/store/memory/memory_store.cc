// Opening, writing, retention; memory_reads.cc has the reads.
#include "store/memory/memory_store.h"

#include "base/hash.h"

#include <algorithm>
#include <map>
#include <utility>

namespace eventhorn::store {
namespace {

constexpr std::chrono::hours kKnownAfterEvents{24 * 7};

using Outcome = WriteSet::Append::Outcome;

}  // namespace

MemoryStore::MemoryStore(MemoryDisk& disk, const Clock& clock, const MemoryOptions& options)
    : faults_(options.faults != nullptr ? *options.faults : no_faults_),
      kept_clock_(clock, options.clock_hold),
      disk_(disk) {}

Result<std::unique_ptr<MemoryStore>> MemoryStore::open(MemoryDisk& disk, const Clock& clock,
                                                       const MemoryOptions& options) {
  if (disk.in_use()) return fail(Errc::kConflict, "the store is in use by another process");
  auto store = std::unique_ptr<MemoryStore>(new MemoryStore(disk, clock, options));
  TRY_STATUS(store->faults_.on(Operation::kOpen));
  store->start(clock);
  return store;
}

// What the process before had written is durable from now on, because readers see it.
void MemoryStore::start(const Clock& clock) {
  const MutexLock lock(mutex_);
  owner_ = disk_.take();
  disk_.settle(disk_.unsynced());
  tables().drop_expired();
  kept_clock_.start(tables().clock, clock.now());
  complete_until_ = kept_clock_.now();
}

MemoryStore::~MemoryStore() {
  const MutexLock lock(mutex_);
  disk_.release(owner_);
}

Status MemoryStore::usable(Operation operation) const {
  if (!disk_.belongs_to(owner_)) return fail(Errc::kUnavailable, "the process was killed");
  if (closed_) return fail(Errc::kUnavailable, "the store is closed until it can be reopened");
  return faults_.on(operation);
}

Status MemoryStore::writable() const {
  if (!disk_.belongs_to(owner_)) return fail(Errc::kUnavailable, "the process was killed");
  if (failed_) return fail(Errc::kUnavailable, "the store failed and is not reopened yet");
  return {};
}

Status MemoryStore::refuse(Status status) {
  failed_ = true;
  kept_clock_.lost();
  return status;
}

Status MemoryStore::write(Operation operation, MemoryWrite write) {
  TRY_STATUS(writable());
  if (write.empty()) return {};
  if (auto status = faults_.on(operation); !status) return refuse(std::move(status));
  disk_.write(std::move(write));
  return {};
}

Status MemoryStore::sync(Operation operation) {
  if (auto status = faults_.on(operation); !status) return refuse(std::move(status));
  disk_.settle(disk_.unsynced());
  durable_saves_ = saves_;
  return {};
}

Status MemoryStore::write_shown(Operation operation, MemoryWrite write) {
  TRY_STATUS(this->write(operation, std::move(write)));
  disk_.show();
  return {};
}

Status MemoryStore::write_synced(Operation operation, MemoryWrite write) {
  TRY_STATUS(this->write(operation, std::move(write)));
  return sync(Operation::kSync);
}

// A commit is shown when it is durable, so nothing of one that failed is ever seen, unless a
// recovery finds it: then all of it is.
Status MemoryStore::commit(WriteSet& set) {
  const MutexLock lock(mutex_);
  TRY_STATUS(writable());
  MemoryWrite write;
  Position next = tables().next;
  const SystemTime now = kept_clock_.now();
  put_appends(set, now, next, write);
  put_edits(set, next, write);
  if (next != tables().next) write.set(tables().next, next);
  const auto clock = set.appends.empty() ? std::nullopt : kept_clock_.due();
  if (clock) write.set(tables().clock, clock);
  TRY_STATUS(write_synced(Operation::kCommit, std::move(write)));
  if (clock) kept_clock_.saved(*clock);
  complete_until_ = now;
  return {};
}

// An id is known while its row is, also when its event is gone. Of one that comes twice in a set,
// the first is the original.
void MemoryStore::put_appends(WriteSet& set, SystemTime now, Position& next, MemoryWrite& write) {
  std::map<MemoryTables::IdKey, uint64_t> in_set;  // the hashes of what is stored
  for (auto& append : set.appends) {
    const auto& event = append.event.event;
    const MemoryTables::IdKey id{append.event.domain, event.id};
    const uint64_t hash = hash_bytes(event.bytes);
    std::optional<uint64_t> known;
    if (const auto it = in_set.find(id); it != in_set.end()) known = it->second;
    if (const auto it = tables().ids.find(id); it != tables().ids.end())
      known = tables().events.at(it->second).content_hash;
    if (!faults_.on_id(id.first, id.second)) {
      append.outcome = Outcome::kUnreadable;
    } else if (known) {
      append.outcome = *known == hash ? Outcome::kDuplicate : Outcome::kConflicting;
    } else {
      append.outcome = Outcome::kStored;
    }
    if (append.outcome != Outcome::kStored) continue;

    in_set.emplace(id, hash);
    const Position position = std::exchange(next, just_after(next));
    const auto bytes = static_cast<uint32_t>(event.bytes.size());
    MemoryTables::Event row{std::move(append.event), now, hash, bytes};
    append.stored = row.at(position);
    const auto& stored = row.event.event;
    write.put(tables().ids, id, position);
    write.put(tables().times, {id.first, stored.timestamp_us, id.second}, position);
    const auto hook = webhook::hook_for(stored.name, stored.severity);
    if (row.event.push && hook) {
      write.put(tables().lane_events, {id.first, webhook::class_of(*hook), position},
                {*hook, bytes});
    }
    write.put(tables().events, position, std::move(row));
  }
}

// Edits come behind the appends of their set, see each other, and each takes its positions whether
// it changes anything or not.
void MemoryStore::put_edits(WriteSet& set, Position& next, MemoryWrite& write) {
  std::map<std::string, DomainPtr> changed;
  for (auto& edit : set.edits) {
    const auto stored = tables().domains.find(edit.name);
    const DomainPtr known = stored == tables().domains.end() ? nullptr : stored->second;
    const DomainPtr before = changed.contains(edit.name) ? changed[edit.name] : known;
    const Position at = std::exchange(next, {next.value + kEditStride});
    auto after = edit.edit(before, at);
    if (!after) {
      edit.outcome = fail(std::move(after).error());
      continue;
    }
    changed[edit.name] = *after;
    edit.outcome = DomainChange{at, before, *after};
  }
  for (auto& [name, domain] : changed) {
    if (domain) {
      write.put(tables().domains, name, domain);
    } else {
      write.erase(tables().domains, name);
    }
  }
}

// Shown at once: progress that is lost is only work to be done again.
Result<SaveToken> MemoryStore::save(std::span<const Progress* const> progress) {
  const MutexLock lock(mutex_);
  MemoryWrite write;
  bool has_stamps = false;
  for (const auto* one : progress) {
    put_progress(*one, write);
    has_stamps = has_stamps || !one->attempts.empty();
  }
  const auto clock = has_stamps ? kept_clock_.due() : std::nullopt;
  if (clock) write.set(tables().clock, clock);
  TRY_STATUS(write_shown(Operation::kSaveProgress, std::move(write)));
  if (clock) kept_clock_.saved(*clock);
  return SaveToken{opening_, ++saves_};
}

bool MemoryStore::durable(SaveToken token) const {
  const MutexLock lock(mutex_);
  return token.opening == opening_ && token.number <= durable_saves_;
}

Status MemoryStore::flush() {
  const MutexLock lock(mutex_);
  TRY_STATUS(writable());
  return sync(Operation::kFlush);
}

// In the order of the fields of Progress; exceptions and their ends in the order that they came in.
void MemoryStore::put_progress(const Progress& progress, MemoryWrite& write) {
  auto& t = tables();
  for (const auto& row : progress.lanes) write.put(t.lanes, row.lane, row);
  for (const LaneId lane : progress.settled_lanes) write.erase(t.lanes, lane);

  size_t next = 0;
  const auto put_exceptions = [&](size_t end) {
    for (; next < std::min(end, progress.exceptions.size()); ++next) {
      const auto& row = progress.exceptions[next];
      write.put(t.exceptions, {row.lane, row.position}, row);
    }
  };
  for (const auto& ended : progress.ended_exceptions) {
    put_exceptions(ended.after);
    write.erase(t.exceptions, {ended.lane, ended.position});
  }
  put_exceptions(progress.exceptions.size());

  // Rows written while the lane still lived go with it. Attempts stay: they are the record of what
  // was sent.
  for (const LaneId lane : progress.ended_lanes) {
    write.erase(t.lanes, lane);
    write.erase_range(t.exceptions, {lane, kNoPosition}, {lane, {UINT64_MAX}});
  }
  for (const auto& row : progress.endpoints) write.put(t.endpoints, row.url, row);
  for (const auto& url : progress.well_endpoints) write.erase(t.endpoints, url);
  if (progress.mark) write.put(t.marks, progress.mark->slots.bits, progress.mark->settled_through);
  put_attempts(progress.attempts, write);
}

// Sound successes at the first try are most of all attempts, so an engine may pack those of one
// lane and one Progress: they keep less, and have the last one's time of writing.
void MemoryStore::put_attempts(const std::vector<AttemptRow>& rows, MemoryWrite& write) {
  const auto is_packed = [](const AttemptRow& row) {
    return row.attempt == 1 && row.failure.empty() && row.error.empty();
  };
  std::map<LaneId, SystemTime> packed;  // until when
  for (const auto& row : rows)
    if (is_packed(row)) packed[row.lane] = std::max(packed[row.lane], row.written);
  for (AttemptRow row : rows) {
    const bool first_try = is_packed(row);
    if (first_try) {
      row.response.clear();
      row.phases.reset();
      row.written = packed[row.lane];
    }
    write.put(tables().attempts, {row.lane, row.written, row.at, row.position, first_try}, row);
  }
}

Status MemoryStore::replace_marks(std::span<const SlotMark> marks) {
  const MutexLock lock(mutex_);
  MemoryWrite write;
  write.erase_range(tables().marks, 0, UINT64_MAX);
  for (const auto& mark : marks) write.put(tables().marks, mark.slots.bits, mark.settled_through);
  return write_synced(Operation::kSaveMarks, std::move(write));
}

void MemoryStore::put_value_changes(const ValueChanges& changes, MemoryWrite& write) {
  for (const auto& [key, value] : changes) {
    if (value) {
      write.put(tables().values, key, *value);
    } else {
      write.erase(tables().values, key);
    }
  }
}

Status MemoryStore::save_value(const std::string& key, const std::string& value) {
  const MutexLock lock(mutex_);
  MemoryWrite write;
  put_value_changes({{key, value}}, write);
  return write_synced(Operation::kSaveValues, std::move(write));
}

Status MemoryStore::remove_value(const std::string& key) {
  const MutexLock lock(mutex_);
  MemoryWrite write;
  put_value_changes({{key, std::nullopt}}, write);
  return write_synced(Operation::kSaveValues, std::move(write));
}

Status MemoryStore::save_values(const ValueChanges& changes) {
  const MutexLock lock(mutex_);
  MemoryWrite write;
  put_value_changes(changes, write);
  return write_shown(Operation::kSaveValues, std::move(write));
}

Status MemoryStore::recover() {
  const MutexLock lock(mutex_);
  closed_ = false;
  auto status = usable(Operation::kRecover);
  if (!status) {
    failed_ = closed_ = true;
    return status;
  }
  disk_.settle(std::min(faults_.found_by_recovery(disk_.unsynced()), disk_.unsynced()));
  tables().drop_expired();
  ++opening_;
  kept_clock_.lost();  // its row may have been among what was not synced
  complete_until_ = kept_clock_.now();
  failed_ = false;
  return {};
}

Status MemoryStore::may_append() const {
  const MutexLock lock(mutex_);
  return faults_.may_append();
}

uint64_t MemoryStore::free_bytes() const {
  const MutexLock lock(mutex_);
  return faults_.free_bytes();
}

Result<SystemTime> MemoryStore::cut_to_bytes(uint64_t bytes) {
  const MutexLock lock(mutex_);
  TRY_STATUS(usable(Operation::kFindByTime));
  uint64_t kept = 0;
  const auto& events = tables().events;
  for (auto it = events.rbegin(); it != events.rend(); ++it) {
    kept += it->second.bytes;
    if (kept > bytes && it != events.rbegin()) return std::prev(it)->second.committed;
  }
  return SystemTime();
}

// What is to be forgotten follows from when it was dropped, not from when it was committed: the
// last limit that was made for a time 7 days before this one.
Result<uint64_t> MemoryStore::expire(SystemTime events_before, SystemTime attempts_before) {
  const MutexLock lock(mutex_);
  TRY_STATUS(writable());
  auto& t = tables();
  const Position was = t.gone_below;
  const Position gone_below = t.first_since(events_before);
  MemoryWrite write;
  const auto served = t.gone_at.upper_bound(events_before - kKnownAfterEvents);
  if (served != t.gone_at.begin()) {
    const auto last = std::prev(served);
    write.set(t.forgotten_below, std::max(t.forgotten_below, last->second));
    for (auto it = t.gone_at.begin(); it != last; ++it) write.erase(t.gone_at, it->first);
  }
  if (gone_below > was) {
    write.set(t.gone_below, gone_below);
    write.put(t.gone_at, events_before, gone_below);
  }
  kept_clock_.forget_gaps(std::min(events_before, attempts_before));
  const auto clock = kept_clock_.save();
  write.set(t.clock, clock);
  TRY_STATUS(write_synced(Operation::kExpire, std::move(write)));
  kept_clock_.saved(clock);
  t.drop_expired();
  t.drop_attempts(attempts_before);
  return gone_below.value - was.value;
}

}  // namespace eventhorn::store
