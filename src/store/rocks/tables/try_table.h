// Family `tries`: (lane, position, time) -> nothing. Names each full record of `attempts` by its
// event. Written with progress.
#pragma once

#include "store/model.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/format.h"
#include "store/rocks/scan.h"

#include <string>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class TryTable {
 public:
  /// `database` must outlive this.
  explicit TryTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string prefix(LaneId lane, Position position);
  static std::string key(LaneId lane, Position position, SystemTime written);

  void put(const AttemptRow& row, rocksdb::WriteBatch& batch) const;

  /// Calls `each(written)`, which returns Result<bool>, for the records of one event, oldest first,
  /// until it returns false.
  template <class F>
  Status scan(LaneId lane, Position position, F each) const {
    const std::string begin = prefix(lane, position);
    const auto take = [&](std::string_view key, std::string_view) -> Result<bool> {
      const uint64_t written = format::get_u64_be(key.data() + begin.size());
      return each(from_micros(static_cast<int64_t>(written)));
    };
    return scan_prefix(database_.rows(Family::kTries), begin, "reading attempts", take);
  }

  static bool expired(std::string_view key, std::string_view, const Floors& floors) {
    return key.size() == 24 &&
           static_cast<int64_t>(format::get_u64_be(key.data() + 16)) < floors.attempts_us;
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
