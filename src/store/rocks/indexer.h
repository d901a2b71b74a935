// Turns closed runs of the tail into index entries: a full run as sorted files that RocksDB takes
// in whole (no memtable, no WAL: a random skip-list insert per key would cost more than the log
// itself), a short one as a batch. Indexing a run twice gives the same entries, so a crash between
// the entries and the mark costs only the work.
#pragma once

#include "async/worker.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/time.h"
#include "store/rocks/database.h"
#include "store/rocks/index.h"
#include "store/rocks/tables/number_table.h"
#include "store/rocks/tail.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace eventhorn::store {

/// Works on a worker of its own. A run whose indexing failed stays in the tail, and is tried again.
class Indexer {
 public:
  /// All must outlive this.
  struct Parts {
    const Database& database;
    const NumberTable& numbers;
    Tail& tail;
    const Clock& clock;
    Workers& workers;
  };

  struct Options {
    /// For files on their way into an index, `index-*`: of the file system that the database is on.
    std::filesystem::path directory;
    /// An open run that has not grown for so long is indexed. A turn comes so often at least.
    Micros idle{};
    /// Other work of each turn, with the database in use. True when it has more to do now.
    std::function<bool()> chores;
    /// True after a write of the log has failed: RocksDB aborts when its log is asked for another
    /// one before it is opened anew. Null: it never has.
    std::function<bool()> failed{};
  };

  /// `indexes` are written together, and must outlive this.
  Indexer(const Parts& parts, Options options, std::vector<Index*> indexes);
  /// Ends every index_now(); no turn comes after it.
  ~Indexer();

  /// The tail was filled anew, after the database was opened. While no turn is under way.
  void reset();

  void start() { worker_->wake(); }

  /// The tail has grown. From the thread that appends to it.
  void appended();

  /// Waits until every event up to `through` is in the indexes. kUnavailable when that failed. Not
  /// with the database in use.
  Status index_now(Position through);

  /// While the result lives no turn is taken: who holds it may change what the indexes have. Not
  /// with the database in use, nor in index_now().
  [[nodiscard]] std::unique_lock<std::mutex> pause() { return std::unique_lock(turning_); }

  /// A crash may leave files that were taken into an index: they share their blocks with RocksDB's
  /// own (hard links), so writing one anew would overwrite the index. To be called before start().
  static void remove_files(const std::filesystem::path& directory);

 private:
  std::optional<Micros> turn();
  bool work(bool requested);
  void index_closed_runs();
  Status index_run(const TailRun& run);
  Status write_run(const TailRun& run);
  Status write_batch(const TailRun& run, Index::Reads reads);
  Status write_files(const TailRun& run, Index::Reads reads);

  const Parts parts_;
  const Options options_;
  const std::vector<Index*> indexes_;

  metrics::Counter indexed_;
  metrics::Gauge lag_;

  std::mutex turning_;  // held over the work of a turn

  // Touched only on the worker.
  SteadyTime looked_{};  // when its last turn ended
  size_t tail_was_ = 0;  // events of the tail, then

  std::atomic<uint32_t> failures_{0};  // of the oldest run, in a row

  Mutex mutex_;
  Condition done_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  uint64_t wanted_ GUARDED_BY(mutex_) = 0;  // calls of index_now()
  uint64_t served_ GUARDED_BY(mutex_) = 0;  // those of them that are done
  const std::unique_ptr<Worker> worker_;    // last: its turns use all others
};

}  // namespace eventhorn::store
