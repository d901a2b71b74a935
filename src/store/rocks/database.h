// RocksDB's database with its families: what the tables read and write.
//
// It is closed and opened again in one place while readers hold references to it, so everybody who
// uses it holds use() meanwhile; who opens or closes it holds alone(). The functions below do not
// lock. Tables rely on their callers for that.
#pragma once

#include "base/result.h"
#include "store/rocks/fair_mutex.h"
#include "store/rocks/families.h"

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Iterator;
class PinnableSlice;
class Status;
class WriteBatch;
}  // namespace rocksdb

namespace eventhorn::store {

class Database {
 public:
  enum class Access { kRead, kReadAndWrite };

  Database();
  /// Closes it.
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// `families` are all of them, in the order of Family. Only while it is closed. RocksDB's own
  /// status, because callers look for several kinds of it.
  rocksdb::Status open(const rocksdb::DBOptions& options, const std::string& path,
                       const std::vector<rocksdb::ColumnFamilyDescriptor>& families, Access access);
  /// Nothing of it is in use any more: iterators are gone. Idempotent.
  void close();

  bool is_open() const { return db_ != nullptr; }

  using Use = std::shared_lock<FairSharedMutex>;
  using Alone = std::unique_lock<FairSharedMutex>;

  /// While the result lives, the database stays as it is. kUnavailable when it is closed. No thread
  /// may hold two of these at once (fair_mutex.h).
  Result<Use> use() const;

  /// Keeps out all who use it.
  Alone alone() const { return Alone(mutex_); }

  /// RocksDB's. Only while it is open, as all that follows.
  rocksdb::DB& operator*() const { return *db_; }

  rocksdb::DB* operator->() const { return db_.get(); }

  rocksdb::ColumnFamilyHandle* family(Family family) const {
    return families_[static_cast<size_t>(family)];
  }

  /// An iterator over a family; `once` for one that reads all of it once, past the cache.
  std::unique_ptr<rocksdb::Iterator> rows(Family family, bool once = false) const;

  /// False when there is no such row. Errors begin with `doing` ("reading ...").
  Result<bool> get(Family family, std::string_view key, rocksdb::PinnableSlice& value,
                   const char* doing) const;

  /// Writes all of `batch` or nothing. It outlives the process when this returns, and a power cut
  /// once anything later is synced (wal.h).
  Status write(rocksdb::WriteBatch& batch, const char* doing) const;

  /// The same, and a power cut takes neither it nor what was written before.
  Status write_synced(rocksdb::WriteBatch& batch, const char* doing) const;

 private:
  mutable FairSharedMutex mutex_;
  // Changed only while alone() is held.
  std::unique_ptr<rocksdb::DB> db_;  // null while it is closed
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

}  // namespace eventhorn::store
