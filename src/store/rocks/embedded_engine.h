// The parts of the embedded engine put together, and in which order they act.
//
// The log is keyed by position alone: all shards of the process share one sequence, so it is
// written in order and its files never overlap. The indexes are written in bulk behind it
// (indexer.h); what they lack is in the tail.
//
// Each kind of row is a table (tables/), which alone knows its bytes. Each public function that
// reads or writes holds the database in use, and recover() has it alone, so the parts need no lock
// against its closing.
#pragma once

#include "store/rocks/ballast.h"
#include "store/rocks/clock_keeper.h"
#include "store/rocks/counts.h"
#include "store/rocks/database.h"
#include "store/rocks/domains.h"
#include "store/rocks/indexer.h"
#include "store/rocks/known_ids.h"
#include "store/rocks/lane_reader.h"
#include "store/rocks/log_eraser.h"
#include "store/rocks/opening.h"
#include "store/rocks/order_fill.h"
#include "store/rocks/order_reader.h"
#include "store/rocks/page_reader.h"
#include "store/rocks/progress_rows.h"
#include "store/rocks/retention.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/tables/tables.h"
#include "store/rocks/tail.h"
#include "store/rocks/term_index.h"
#include "store/rocks/term_rebuild.h"
#include "store/rocks/unreadable_reads.h"
#include "store/rocks/wal.h"

#include <atomic>
#include <memory>

namespace eventhorn::store {

class EmbeddedEngine final : public RocksStore {
 public:
  /// Nothing else is called before start().
  EmbeddedEngine(RocksOptions options, const Clock& clock);

  /// Opens the store, as RocksStore::open().
  Status start();

  // EventLog
  Status commit(WriteSet& set) override;

  Position head() const override { return {head_.load(std::memory_order_acquire)}; }

  Result<std::vector<EventHead>> read_heads(Position after, size_t max) override;
  Result<std::vector<EventPtr>> read_events(const std::vector<Position>& positions) override;
  Result<std::vector<Position>> find_events(DomainUid domain,
                                            const std::vector<std::string>& ids) override;
  Result<Position> position_before(SystemTime time) override;

  // LaneLog, Pages, CommitOrder
  Result<LaneSlice> read_lane(const LaneQuery& query) override;
  Result<EventCount> count_lane(const LaneQuery& query) override;
  Result<PageSlice> read_page(const PageQuery& query) override;
  Result<OrderSlice> read_order(const OrderQuery& query) override;
  Committed last_commit() const override;
  Result<std::optional<SystemTime>> committed_at(Position position) override;

  uint64_t generation() const override { return generation_; }

  // ProgressWriter
  Result<SaveToken> save(std::span<const Progress* const> progress) override;

  bool durable(SaveToken token) const override { return wal_.durable(token); }

  Status flush() override;

  // ProgressReader
  Result<LoadedProgress> load_progress() override;
  Status replace_marks(std::span<const SlotMark> marks) override;
  Result<std::vector<ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                    bool missed_only) override;
  Result<std::vector<AttemptRow>> read_attempts(LaneId lane, Position position,
                                                SystemTime committed, size_t max) override;
  Result<std::vector<AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                size_t max) override;

  // DomainStore, Values
  Result<std::vector<DomainPtr>> load_domains() override;
  Result<std::optional<std::string>> load_value(const std::string& key) override;
  Status save_value(const std::string& key, const std::string& value) override;
  Status remove_value(const std::string& key) override;
  Status save_values(const ValueChanges& changes) override;
  Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) override;

  // Upkeep
  bool failed() const override { return wal_.failed(); }

  Status recover() override;
  Status may_append() const override;
  uint64_t free_bytes() const override;

  KeptClock& kept_clock() override { return kept_clock_; }

  Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) override;
  Result<SystemTime> cut_to_bytes(uint64_t bytes) override;

  // Eraser
  Result<EraseSlice> erase(const EraseQuery& query, const std::vector<LaneId>& lanes) override;
  Result<EraseAttemptsSlice> erase_attempts(
      const std::string& after, const std::function<bool(std::string& text)>& change) override;
  Result<bool> values_mention(const std::string& prefix,
                              const std::function<bool(std::string_view value)>& mentions) override;
  Status purge(DomainUid domain, std::optional<PositionRange> changed) override;
  void end_purges() override;

  // RocksStore
  Status index_now() override { return indexer_.index_now(head()); }

  Status compact_now() override;

  uint64_t terms_left() const override { return term_rebuild_.left(); }

  uint64_t rows_counted() const override { return lanes_.rows_counted(); }

 private:
  // Opening, with the database alone.
  Status open_database();
  Status open_and_load();
  Status load();
  Status find_next_position();
  Status start_clock();
  Status load_generation();
  Status rebuild_tail();
  tl::unexpected<Error> damaged(const std::string& where) const;

  // Parts of a commit, with the database in use.
  Status put_appends(WriteSet& set, SystemTime now, rocksdb::WriteBatch& batch);
  void publish(const WriteSet& set, SystemTime at);
  void see_commit(SystemTime at);

  Position indexed_through() const;
  Status rewrite_tables(Family family, const std::string& begin, const std::string& end);
  bool chores();

  const RocksOptions options_;
  const Clock& clock_;
  KeptClock kept_clock_;
  const std::shared_ptr<Floors> floors_ = std::make_shared<Floors>();
  UnreadableReads unreadable_;
  Ballast ballast_;

  Database database_;
  Opening opening_;
  Tables tables_;
  Wal wal_;
  ClockKeeper clock_keeper_;

  Tail tail_;
  std::atomic<uint64_t> head_{0};
  uint64_t next_position_ = 1;  // touched only on the commit thread, and while it is opened
  Domains domains_;

  const KnownIds ids_;
  const ProgressRows progress_;
  Retention retention_;
  const LaneReader lanes_;
  TermRebuild term_rebuild_;
  const PageReader pages_;
  OrderFill order_fill_;
  const OrderReader order_;
  const LogEraser eraser_;
  std::atomic<bool> ending_{false};     // of the process
  std::atomic<bool> no_purges_{false};  // one that is under way ends

  std::atomic<uint64_t> generation_{0};
  mutable Mutex last_commit_mutex_;
  Committed last_commit_ GUARDED_BY(last_commit_mutex_);

  RunningCounts counts_;
  TermIndex terms_;
  WorkerThreads threads_;  // unless the options have others
  Indexer indexer_;        // last: its turns use all others
};

}  // namespace eventhorn::store
