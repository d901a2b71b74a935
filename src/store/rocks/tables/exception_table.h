// Rows `x` of the family `default`: (lane, position) -> an event that waits for a retry, or was
// missed. Written with progress.
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
class ExceptionTable {
 public:
  /// `database` must outlive this.
  explicit ExceptionTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(LaneId lane, Position position) {
    return format::meta_key(format::kExceptionPrefix, lane.value, position.value);
  }

  static std::string encode(const ExceptionRow& row);
  static Result<ExceptionRow> decode(LaneId lane, Position position, std::string_view value);
  /// False for rows of version 1: their `hook` is not to be trusted.
  static bool has_hook(std::string_view value);

  void put(const ExceptionRow& row, rocksdb::WriteBatch& batch) const;
  /// Nothing happens when there is none.
  void remove(LaneId lane, Position position, rocksdb::WriteBatch& batch) const;
  /// All of a lane.
  void remove_all(LaneId lane, rocksdb::WriteBatch& batch) const;

  /// Calls `each(row, has_hook)`, which returns Result<bool>, for the rows of a lane after a
  /// position, in order, until it returns false.
  template <class F>
  Status scan(LaneId lane, Position after, F each) const {
    return scan_prefix(database_.rows(Family::kMeta),
                       format::meta_key(format::kExceptionPrefix, lane.value),
                       key(lane, just_after(after)), "reading exceptions", decoded(each));
  }

  /// The same for all lanes.
  template <class F>
  Status scan_all(F each) const {
    return scan_prefix(database_.rows(Family::kMeta, /*once=*/true),
                       format::meta_key(format::kExceptionPrefix), "reading progress",
                       decoded(each));
  }

  /// Only missed events expire.
  static bool expired(std::string_view key, std::string_view value, const Floors& floors) {
    return key.size() == 17 && key[0] == format::kExceptionPrefix && value.size() > 1 &&
           value[1] != 0 && format::get_u64_be(key.data() + 9) < floors.classes;
  }

 private:
  template <class F>
  static auto decoded(F& each) {
    return [&each](std::string_view key, std::string_view value) -> Result<bool> {
      const LaneId lane{format::get_u64_be(key.data() + 1)};
      const Position position{format::get_u64_be(key.data() + 9)};
      TRY(auto row, decode(lane, position, value));
      return each(row, has_hook(value));
    };
  }

  const Database& database_;
};

}  // namespace eventhorn::store
