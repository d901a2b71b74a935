// What is written to the database for good: how much of its write-ahead log is on the disk, and
// whether a write has failed. After a failure nothing is written before the database was opened
// again, because what of the log is on the disk is not known then (docs/STORAGE_FORMAT.md).
//
// Whatever is acknowledged or relied on goes through sync() or write_synced().
#pragma once

#include "base/metrics.h"
#include "base/result.h"
#include "store/rocks/database.h"
#include "store/rocks/durability.h"
#include "store/rocks/failed_sync.h"

#include <atomic>
#include <filesystem>
#include <mutex>

namespace eventhorn::store {

/// Any thread, with the database in use (Database::use()); opened() and cut_unsynced_end() with
/// Database::alone().
class Wal {
 public:
  /// `database` must outlive this. `data` is the data directory, in which a failure is noted.
  Wal(Database& database, const std::filesystem::path& data);

  /// Whether a write failed since the database was opened. Without a lock.
  bool failed() const { return failed_; }

  /// kUnavailable once a write has failed.
  Status takes_writes() const;

  /// Writes all of `batch` or nothing, unsynced. An error is a failure.
  Status write(rocksdb::WriteBatch& batch, const char* doing);
  /// The same, and it is on the disk when this returns, with all that was written before.
  Status write_synced(rocksdb::WriteBatch& batch, const char* doing);
  /// All that was written before is on the disk when this returns. An error is a failure.
  Status sync();

  /// A save of progress was written. Its token.
  SaveToken saved() { return durability_.saved(); }

  bool durable(SaveToken token) const { return durability_.durable(token); }

  /// The database was opened, and all of it was loaded.
  void opened();

  /// Of a database that refuses to open. A failed sync may leave a hole in the log (failed_sync.h).
  /// When the only damage is such a hole, cuts off the log there and returns true.
  bool cut_unsynced_end(const std::filesystem::path& directory);

 private:
  WalPlace end() const;
  void note_failure();

  const Database& database_;
  std::atomic<bool> failed_{false};
  Durability durability_;
  metrics::Counter syncs_;
  /// Held over every sync.
  std::mutex sync_mutex_;
  // Written with sync_mutex_ held and the database in use; read with Database::alone().
  FailedSync failed_sync_;
};

}  // namespace eventhorn::store
