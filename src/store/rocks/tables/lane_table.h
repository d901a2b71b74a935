// Rows `l` of the family `default`: lane -> its domain and segments. A lane without a row has
// settled everything up to the mark of its slot. Written with progress.
#pragma once

#include "store/model.h"
#include "store/rocks/database.h"
#include "store/rocks/format.h"
#include "store/rocks/scan.h"

#include <string>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class LaneTable {
 public:
  /// `database` must outlive this.
  explicit LaneTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(LaneId lane) { return format::meta_key(format::kLanePrefix, lane.value); }

  static std::string encode(const LaneRow& row);
  static Result<LaneRow> decode(LaneId lane, std::string_view value);

  void put(const LaneRow& row, rocksdb::WriteBatch& batch) const;
  /// Nothing happens when there is none.
  void remove(LaneId lane, rocksdb::WriteBatch& batch) const;

  /// Calls `each(LaneRow)` for all rows, by lane.
  template <class F>
  Status scan(F each) const {
    const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
      TRY(auto row, decode({format::get_u64_be(key.data() + 1)}, value));
      each(std::move(row));
      return true;
    };
    return scan_prefix(database_.rows(Family::kMeta, /*once=*/true),
                       format::meta_key(format::kLanePrefix), "reading progress", take);
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
