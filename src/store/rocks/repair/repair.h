// Looking for damage in the store of a data directory, and making a sound store of what can still
// be read.
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
