// The embedded engine: RocksDB in the data directory, owned by one process (a lock file refuses a
// second).
//
// The log is keyed by position alone: all shards of the process share one sequence, so it is
// written in order and its files never overlap. The indexes are written in bulk behind it
// (indexer.cc); what they lack is in the tail.
#pragma once

#include "async/worker.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/time.h"
#include "store/rocks/ballast.h"
#include "store/rocks/counts.h"
#include "store/rocks/durability.h"
#include "store/rocks/failed_sync.h"
#include "store/rocks/fair_mutex.h"
#include "store/rocks/retention.h"
#include "store/rocks/tail.h"
#include "store/store.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <unordered_map>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Env;
class Iterator;
class WriteBatch;
}  // namespace rocksdb

namespace eventhorn::store {

class CompactionWatch;

struct RocksOptions {
  std::filesystem::path directory;
  /// Tests put a fault-injecting one here; null is the machine's.
  rocksdb::Env* env = nullptr;
  /// Tests and simulations put theirs here; null is the machine's threads.
  Workers* workers = nullptr;
  /// An open run of the tail that has not grown for so long is indexed.
  std::chrono::milliseconds index_idle{200};
  /// Size of the file given back to the disk when it is full, so that progress can still be
  /// written.
  uint64_t ballast_bytes = 64 << 20;
  /// Tests put one here; null asks the file system.
  std::function<uint64_t()> free_bytes;
  /// How long a wall clock that is ahead is watched before the kept clock believes it.
  std::chrono::milliseconds clock_hold = std::chrono::hours(1);
  /// Tables of the indexes that are so old are written anew, without what retention dropped.
  std::chrono::seconds rewrite_after = std::chrono::days(30);
  /// Of the tail, before no more should be appended: some 100 MB, and what a start reads in
  /// seconds.
  size_t max_tail_events = 1'000'000;
  /// The same for long ids, and for runs that are not full.
  size_t max_tail_bytes = 256 << 20;
};

class RocksStore final : public Store {
 public:
  /// Opens or creates. kConflict when another process owns the directory; kCorruption, naming the
  /// file, when the log is damaged other than by a torn tail; kUnavailable for I/O errors.
  static Result<std::unique_ptr<RocksStore>> open(RocksOptions options, const Clock& clock);
  ~RocksStore() override;

  Status commit(WriteSet& set) override;
  Result<SaveToken> save(std::span<const Progress* const> progress) override;

  bool durable(SaveToken token) const override { return durability_.durable(token); }

  Status flush() override;

  bool failed() const override { return failed_; }

  Status recover() override;
  Status may_append() const override;
  uint64_t free_bytes() const override;

  Position head() const override { return {head_.load(std::memory_order_acquire)}; }

  KeptClock& kept_clock() override { return kept_clock_; }

  Result<std::vector<DomainPtr>> load_domains() override;
  Result<LoadedProgress> load_progress() override;
  Status replace_marks(std::span<const SlotMark> marks) override;
  Result<std::vector<EventHead>> read_heads(Position after, size_t max) override;
  Result<LaneSlice> read_lane(const LaneQuery& query) override;
  Result<EventCount> count_lane(const LaneQuery& query) override;
  Result<Position> position_before(SystemTime time) override;
  Result<std::vector<ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                    bool missed_only) override;
  Result<std::vector<AttemptRow>> read_attempts(LaneId lane, Position position,
                                                SystemTime committed, size_t max) override;
  Result<std::vector<AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                size_t max) override;
  Result<PageSlice> read_page(const PageQuery& query) override;
  Result<std::vector<EventPtr>> read_events(const std::vector<Position>& positions) override;
  Result<std::vector<Position>> find_events(DomainUid domain,
                                            const std::vector<std::string>& ids) override;
  Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) override;
  Result<std::optional<std::string>> load_value(const std::string& key) override;
  Status save_value(const std::string& key, const std::string& value) override;
  Status remove_value(const std::string& key) override;
  Status save_values(const ValueChanges& changes) override;
  Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) override;

  /// Waits until every event appended so far is in the indexes. For tests and benchmarks.
  Status index_now();
  /// Compacts everything, so that expired rows are gone. For tests and benchmarks.
  Status compact_now();

  /// Rows of the index that count_lane has looked at so far. For tests.
  uint64_t rows_counted() const { return rows_counted_; }

 private:
  using enum Family;

  RocksStore(RocksOptions options, const Clock& clock);

  static constexpr const char* kNotReopened = "the store failed and is not reopened yet";

  /// Of what costs only itself: counted, and logged now and then.
  void note_unreadable(const char* what, const std::string& error);

  Status open_db();
  Status open_and_load();
  Status open_files();
  Status load();
  tl::unexpected<Error> damaged(const std::string& where) const;
  void close_db();
  Status usable() const;
  Status find_next_position();
  Status start_clock();
  Status read_domains();
  /// A number kept under a key of its own in the family `default`; nullopt when there is none.
  Result<std::optional<uint64_t>> load_mark(std::string_view key) const;
  void put_mark(std::string_view key, uint64_t value, rocksdb::WriteBatch& batch) const;
  void remove_index_files();
  Status rebuild_tail();

  // commit.cc, with db_mutex_ held shared; all but the last two on the commit thread.
  void find_duplicates(WriteSet& set);
  Status put_edits(WriteSet& set, rocksdb::WriteBatch& batch);
  Status put_appends(WriteSet& set, rocksdb::WriteBatch& batch);
  void publish(WriteSet& set);
  Status put_progress(const Progress& progress, rocksdb::WriteBatch& batch);
  Status write(rocksdb::WriteBatch& batch, bool has_stamps);

  /// Last in a batch, so that no stamp in it is much later than the row (KeptClock::kSaveEvery).
  void put_clock(const KeptClock::Saved& saved, rocksdb::WriteBatch& batch) const;

  // wal.cc, with db_mutex_ held shared, the last one exclusively. Whatever is acknowledged or
  // relied on is synced by one of the first two. Where they fail they set failed_.
  Status sync_wal();
  Status write_synced(rocksdb::WriteBatch& batch, const char* doing);
  WalPlace wal_end() const;
  /// A write or a sync failed. With sync_mutex_ held.
  void note_failure();
  bool cut_unsynced_end();

  // attempts.cc
  void put_attempts(const std::vector<AttemptRow>& rows, rocksdb::WriteBatch& batch);
  Status full_attempts(LaneId lane, Position position, size_t max,
                       std::vector<AttemptRow>& out) const;

  // exceptions.cc
  Result<ExceptionRow> exception_of(std::string_view key, std::string_view value) const;
  /// The exceptions of a lane after a position, in order, until `each` returns false.
  Status scan_exceptions(LaneId lane, Position after,
                         const std::function<Result<bool>(const ExceptionRow&)>& each) const;

  // retention.cc
  Result<Position> first_committed_since(SystemTime time) const;
  Status load_floors();
  Result<uint64_t> ids_floor(SystemTime events_before, rocksdb::WriteBatch& batch) const;

  // indexer.cc, on the indexer's thread.
  std::optional<Micros> index_turn();
  void index_closed_runs();
  void change_compactions();
  Status index_run(const TailRun& run);
  struct IndexRows;
  Result<IndexRows> rows_of(const TailRun& run);
  Status write_rows(const TailRun& run);
  Status index_by_batch(const IndexRows& rows);
  Status index_by_files(const TailRun& run, IndexRows& rows);

  // counts.cc
  Status count_indexed(const LaneQuery& query, Position to, EventCount& out);
  Result<EventCount> count_missed(const LaneQuery& query, Position to) const;

  // lanes.cc
  struct Candidates;
  Status candidates_from_index(Candidates& found) const;
  Status candidates_from_missed(Candidates& found) const;
  static void candidates_from_tail(const Tail::Runs& runs, Candidates& found);

  // read.cc
  /// Null for those that are no more; ends early once more than `max_bytes` of events are read.
  Status fetch(const std::vector<Position>& positions, size_t max_bytes,
               std::vector<EventPtr>& out);
  std::vector<Status> fetch_each(const std::vector<Position>& positions, size_t max_bytes,
                                 std::vector<EventPtr>& out);
  Status fetch_run(const std::vector<Position>& positions, size_t max_bytes,
                   std::vector<EventPtr>& out);
  struct PageRows;
  Result<bool> take_rows(const PageQuery& q, PageRows& rows, PageSlice& out);

  rocksdb::ColumnFamilyHandle* family(Family f) const { return families_[static_cast<size_t>(f)]; }

  /// An iterator over a family; for one that reads all of it once, past the cache.
  std::unique_ptr<rocksdb::Iterator> rows(Family f, bool once = false) const;

  const RocksOptions options_;
  const Clock& clock_;
  KeptClock kept_clock_;
  // Written with sync_mutex_ held and db_mutex_ shared; read with that exclusively.
  FailedSync failed_sync_;

  Ballast ballast_;

  // Held shared by every use of db_, exclusively by open and recover.
  mutable FairSharedMutex db_mutex_;
  std::unique_ptr<rocksdb::DB> db_;  // null while the store is closed until it can be reopened
  /// Of the database that open() found or made: a reopening must find the same one.
  std::string identity_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  std::shared_ptr<CompactionWatch> compactions_;  // of db_

  Tail tail_;
  std::shared_ptr<Floors> floors_ = std::make_shared<Floors>();
  std::atomic<uint64_t> head_{0};
  std::atomic<bool> failed_{false};

  /// Held from the taking of the kept clock's row to its write, because an older row must not
  /// overwrite a newer one.
  std::mutex clock_mutex_;
  std::mutex sync_mutex_;  // held over every sync of the write-ahead log
  Durability durability_;

  // Touched only on the commit thread (and by open).
  uint64_t next_position_ = 1;

  Mutex domains_mutex_;
  /// Changed only on the commit thread (and by open), under domains_mutex_; read there without it.
  std::unordered_map<std::string, DomainPtr> domains_;

  std::atomic<uint64_t> rows_counted_{0};

  metrics::Counter unreadable_, indexed_, syncs_;
  metrics::Gauge index_lag_;
  std::atomic<int64_t> unreadable_told_s_{INT64_MIN};  // when note_unreadable() last logged

  // Touched only on the indexer's thread (and by open).
  RunningCounts counts_;
  SteadyTime looked_{};                      // when its last turn ended
  size_t tail_was_ = 0;                      // events of the tail, then
  std::atomic<uint32_t> index_failures_{0};  // of the oldest run of the tail, in a row

  Mutex index_mutex_;
  Condition index_done_;
  bool stopping_ GUARDED_BY(index_mutex_) = false;
  uint64_t index_wanted_ GUARDED_BY(index_mutex_) = 0;  // calls of index_now()
  uint64_t index_served_ GUARDED_BY(index_mutex_) = 0;  // those of them that are done
  WorkerThreads threads_;                               // unless the options have others
  const std::unique_ptr<Worker> indexer_;               // last: its turns use all others
};

}  // namespace eventhorn::store
