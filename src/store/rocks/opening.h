// Opens the database of a data directory, for the first time and again. Refuses what RocksDB would
// pass over in silence, and, when it opens it again, any other store than the one before.
#pragma once

#include "store/rocks/compaction_watch.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

namespace eventhorn::store {

/// With Database::alone(), except where a function says otherwise.
class Opening {
 public:
  struct Options {
    std::filesystem::path data;  // the data directory
    rocksdb::Env* env = nullptr;
    std::chrono::seconds rewrite_after{};
    std::shared_ptr<Floors> floors;
  };

  explicit Opening(Options options) : options_(std::move(options)) {}

  /// The directory of the database.
  std::filesystem::path directory() const { return options_.data / "store"; }

  /// Opens `database`, which is closed. kConflict when another process owns it; kCorruption, naming
  /// the file where it is known; kUnavailable for I/O errors, and when the store of before is not
  /// there any more. After an error it may be open all the same.
  Status open(Database& database);

  /// Of the database opened last. With the database in use.
  CompactionWatch& compactions() const { return *compactions_; }

 private:
  Status check_before_open() const;
  Error refused(const rocksdb::Status& status) const;

  const Options options_;
  /// Of the database that was opened first; empty before.
  std::string identity_;
  std::shared_ptr<CompactionWatch> compactions_;  // RocksDB has it, too
};

}  // namespace eventhorn::store
