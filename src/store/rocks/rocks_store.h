// The embedded engine: RocksDB in the data directory, owned by one process (a lock file refuses a
// second). embedded_engine.h has what it is made of.
#pragma once

#include "async/worker.h"
#include "base/time.h"
#include "store/eraser.h"
#include "store/store.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace eventhorn::store {

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
  /// Forgets the index of terms, which is then made anew, behind everything else.
  bool reindex = false;
  /// Of the tail, before no more should be appended: some 100 MB, and what a start reads in
  /// seconds.
  size_t max_tail_events = 1'000'000;
  /// The same for long ids, and for runs that are not full.
  size_t max_tail_bytes = 256 << 20;
};

class RocksStore : public Store, public Eraser {
 public:
  /// Opens or creates. kConflict when another process owns the directory; kCorruption, naming the
  /// file, when the log is damaged other than by a torn tail; kUnavailable for I/O errors. `clock`
  /// must outlive the store.
  static Result<std::unique_ptr<RocksStore>> open(RocksOptions options, const Clock& clock);

  /// Waits until every event appended so far is in the indexes. For repair, tests and benchmarks.
  virtual Status index_now() = 0;

  /// Compacts everything, so that expired rows are gone. For tests and benchmarks.
  virtual Status compact_now() = 0;

  /// Positions of which the index of terms is still to be made: as many events, or fewer.
  virtual uint64_t terms_left() const = 0;

  /// Rows of the index that count_lane has looked at so far. For tests.
  virtual uint64_t rows_counted() const = 0;
};

}  // namespace eventhorn::store
