// A store in memory: the specification of the seam as code, and the engine of simulations. Rows are
// in ordered maps (memory_tables.h), and nothing is done before it is asked for: there are no
// threads, no indexes that lag, and no compaction, so what expire() drops is gone when it returns.
//
// The store is one process's view of a MemoryDisk. Its destructor is as good as MemoryDisk::kill():
// all that was written is there for the next opening, which makes it durable.
//
// Every member holds one lock, so the order in which it is called is the order of what happens.
#pragma once

#include "base/mutex.h"
#include "store/memory/memory_disk.h"
#include "store/memory/memory_faults.h"
#include "store/store.h"

#include <atomic>
#include <memory>

namespace eventhorn::store {

struct MemoryOptions {
  /// Null: nothing goes wrong. Must outlive the store.
  MemoryFaults* faults = nullptr;
  /// How long a wall clock that is ahead is watched before the kept clock believes it.
  Micros clock_hold = std::chrono::hours(1);
};

class MemoryStore final : public Store {
 public:
  /// Opens what is on the disk; a new disk is an empty store. Both must outlive it. kConflict while
  /// another store has it open; otherwise the error of MemoryFaults.
  static Result<std::unique_ptr<MemoryStore>> open(MemoryDisk& disk, const Clock& clock,
                                                   const MemoryOptions& options = {});
  ~MemoryStore() override;

  Status commit(WriteSet& set) override;
  Position head() const override;
  Result<std::vector<EventHead>> read_heads(Position after, size_t max) override;
  Result<std::vector<EventPtr>> read_events(const std::vector<Position>& positions) override;
  Result<std::vector<Position>> find_events(DomainUid domain,
                                            const std::vector<std::string>& ids) override;
  Result<Position> position_before(SystemTime time) override;

  Result<LaneSlice> read_lane(const LaneQuery& query) override;
  Result<EventCount> count_lane(const LaneQuery& query) override;

  Result<PageSlice> read_page(const PageQuery& query) override;

  Result<OrderSlice> read_order(const OrderQuery& query) override;
  Committed last_commit() const override;
  Result<std::optional<SystemTime>> committed_at(Position position) override;
  uint64_t generation() const override;

  Result<SaveToken> save(std::span<const Progress* const> progress) override;
  bool durable(SaveToken token) const override;
  Status flush() override;

  Result<LoadedProgress> load_progress() override;
  Status replace_marks(std::span<const SlotMark> marks) override;
  Result<std::vector<ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                    bool missed_only) override;
  Result<std::vector<AttemptRow>> read_attempts(LaneId lane, Position position,
                                                SystemTime committed, size_t max) override;
  Result<std::vector<AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                size_t max) override;

  Result<std::vector<DomainPtr>> load_domains() override;

  Result<std::optional<std::string>> load_value(const std::string& key) override;
  Status save_value(const std::string& key, const std::string& value) override;
  Status remove_value(const std::string& key) override;
  Status save_values(const ValueChanges& changes) override;
  Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) override;

  bool failed() const override { return failed_; }

  Status recover() override;
  Status may_append() const override;
  uint64_t free_bytes() const override;

  KeptClock& kept_clock() override { return kept_clock_; }

  Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) override;
  Result<SystemTime> cut_to_bytes(uint64_t bytes) override;

 private:
  using Operation = MemoryFaults::Operation;

  MemoryStore(MemoryDisk& disk, const Clock& clock, const MemoryOptions& options);

  void start(const Clock& clock);

  /// OK when the store may be asked for this.
  Status usable(Operation operation) const REQUIRES(mutex_);
  Status writable() const REQUIRES(mutex_);
  /// After an error of one of these the store has failed.
  Status write(Operation operation, MemoryWrite write) REQUIRES(mutex_);
  Status sync(Operation operation) REQUIRES(mutex_);
  /// Readers see it when it returns.
  Status write_shown(Operation operation, MemoryWrite write) REQUIRES(mutex_);
  /// It is durable, and readers see it, when it returns.
  Status write_synced(Operation operation, MemoryWrite write) REQUIRES(mutex_);
  Status refuse(Status status) REQUIRES(mutex_);

  void put_appends(WriteSet& set, SystemTime now, Position& next, MemoryWrite& write)
      REQUIRES(mutex_);
  void put_edits(WriteSet& set, Position& next, MemoryWrite& write) REQUIRES(mutex_);
  void put_progress(const Progress& progress, MemoryWrite& write) REQUIRES(mutex_);
  void put_attempts(const std::vector<AttemptRow>& rows, MemoryWrite& write) REQUIRES(mutex_);
  void put_value_changes(const ValueChanges& changes, MemoryWrite& write) REQUIRES(mutex_);

  MemoryTables& tables() const REQUIRES(mutex_) { return disk_.tables(); }

  Position visible_head() const REQUIRES(mutex_);

  MemoryFaults no_faults_;
  MemoryFaults& faults_;  // called with the lock held
  KeptClock kept_clock_;

  mutable Mutex mutex_;
  MemoryDisk& disk_;  // guarded by mutex_
  MemoryDisk::Owner owner_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;  // the last recovery failed
  std::atomic<bool> failed_{false};         // changed with the lock held

  SystemTime complete_until_ GUARDED_BY(mutex_);  // every commit up to then is shown
  uint64_t opening_ GUARDED_BY(mutex_) = 0;
  uint64_t saves_ GUARDED_BY(mutex_) = 0;
  uint64_t durable_saves_ GUARDED_BY(mutex_) = 0;  // up to this one they outlive everything
};

}  // namespace eventhorn::store
