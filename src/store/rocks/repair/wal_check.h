// Where a write-ahead log of RocksDB is damaged. RocksDB says that one is, not where; and a length
// that points beyond the end of the file it takes for a torn tail. The form of the file:
// github.com/facebook/rocksdb/wiki/Write-Ahead-Log-File-Format
#pragma once

#include "base/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace eventhorn::store {

struct WalDamage {
  std::filesystem::path file;
  std::string what;                // "at offset 4711", of the first damaged record
  std::optional<uint64_t> offset;  // that number

  std::string text() const { return file.string() + " " + what; }
};

/// Of each log in `directory` its first record that fails its checksum, or is no record at all; and
/// what find_hidden_wal_damage finds. A torn or zeroed end is no damage. Reads all of them: at most
/// a few hundred MB.
Result<std::vector<WalDamage>> find_wal_damage(const std::filesystem::path& directory);

/// What RocksDB 7.8 would open without a word, or dies of: logs or CURRENT that are not there; a
/// log that is a copy of another; whole records behind zeros, or behind one that it would cut off
/// as a torn tail. Reads all logs, of checksums only a few.
Result<std::vector<WalDamage>> find_hidden_wal_damage(const std::filesystem::path& directory);

/// Logs that begin no later than the one before them, as a copy under another number does.
Result<std::vector<WalDamage>> find_repeated_logs(const std::filesystem::path& directory);

}  // namespace eventhorn::store
