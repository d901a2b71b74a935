// Opening a store that may be damaged, without changing it.
#pragma once

#include "base/result.h"
#include "store/rocks/database.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace rocksdb {
class FileLock;
}  // namespace rocksdb

namespace eventhorn::store {

/// Keeps other processes off the store while it lives.
class StoreLock {
 public:
  /// `store` is the directory of the database. kConflict when a server has it, kNotFound when there
  /// is none.
  static Result<StoreLock> take(const std::filesystem::path& store);
  StoreLock(StoreLock&& other) noexcept;
  StoreLock& operator=(StoreLock&&) = delete;
  ~StoreLock();

 private:
  explicit StoreLock(rocksdb::FileLock* lock) : lock_(lock) {}

  rocksdb::FileLock* lock_;
};

enum class OpenMode {
  kStrict,   // read only, as the server would open it
  kLenient,  // read only, without what is damaged in write-ahead logs
  kRemains,  // that, and without logs that are missing; writes to the directory
  kCreate,   // for writing
};

/// Of the database in `path`. Nobody else has it.
Result<std::unique_ptr<Database>> open_database(const std::filesystem::path& path, OpenMode mode);

/// A place in the write-ahead logs: the log's number, and the offset in it.
struct LogPlace {
  uint64_t number = 0;
  uint64_t offset = 0;
};

struct Damage {
  std::vector<std::string> places;  // a line each
  /// The first damaged or missing place of the logs.
  std::optional<LogPlace> in_logs;
  /// All of it is within tables that the index of events knows of.
  bool only_in_tables = true;
};

/// Of the store, which the caller has locked.
Result<Damage> damage_of(const std::filesystem::path& store);

struct Remains {
  std::unique_ptr<Database> database;
  /// Tables of these could not be opened, or are missing.
  std::set<Family> incomplete;
};

/// What is left of a damaged store, by way of hard links in `scratch`, so that the store itself
/// stays as it is; of the logs only what is before `end`, where given. Tables that are missing or
/// cannot be opened count as empty, logs that repeat others are left out, and a lost list of files
/// is made anew. Reads may meet damaged blocks.
Result<Remains> open_remains(const std::filesystem::path& store,
                             const std::filesystem::path& scratch, std::optional<LogPlace> end);

}  // namespace eventhorn::store
