// Looking for damage in the store of a data directory, and making a sound store of what can still
// be read.
//
// This folder knows files of RocksDB from the inside, and was made for version 7.8.3;
// version_test.cc fails with any other. wal_check reads write-ahead logs record by record, and
// finds what RocksDB passes over in silence. damage opens a store that RocksDB refuses: it reads
// the number of a missing log out of an error's text, puts empty tables in the place of tables that
// cannot be opened (a table of any size, because zeros may stand before its footer of 53 bytes),
// and has RepairDB list the files of a store whose list is lost. readable_rows goes on behind a
// damaged block. repair copies what these can read to a new store. Nothing outside depends on the
// forms of those files.
#pragma once

#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace eventhorn::store {

/// Reads the whole store without changing it. One line for each damaged place, naming the file and,
/// where it is known, the offset; none: it is sound. kConflict while a server uses the directory;
/// kNotFound when there is no store.
Result<std::vector<std::string>> find_damage(const std::filesystem::path& data);

struct RepairReport {
  /// What find_damage said. Empty: nothing was done.
  std::vector<std::string> damage;
  /// Holds the store as it was (`store/`) and what was lost of it (`lost.ndjson`).
  std::filesystem::path quarantine;
  uint64_t events_kept = 0;
  uint64_t events_lost = 0;  // by id
  /// Positions of the log that may have held more events; their ids are not known.
  uint64_t positions_lost = 0;
  /// When not empty: what was committed after this time may be lost as well, however much it was.
  std::string lost_after;
  /// Between how many keys some other rows (domains, progress, attempts) were lost.
  uint64_t rows_lost = 0;
  /// Lanes whose backlog is not known any more: they go on with what comes.
  uint64_t lanes_lost = 0;
};

/// Writes every row that can be read to a new store, builds the indexes anew, and puts it in the
/// place of the old one, in one step that a crash cannot split. Needs as much free space as the
/// store has bytes: kUnavailable, naming both, when there is less. Errors leave the store as it is.
Result<RepairReport> repair(const std::filesystem::path& data, const Clock& clock);

}  // namespace eventhorn::store
