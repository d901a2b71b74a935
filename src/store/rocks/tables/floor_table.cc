#include "store/rocks/tables/floor_table.h"

#include "store/rocks/scan.h"

#include <rocksdb/write_batch.h>

#include <algorithm>

namespace eventhorn::store {
namespace {

std::string prefix() {
  return format::meta_key(format::kFloorPrefix);
}

Result<Position> decode(std::string_view value) {
  if (value.size() != 8) return format::damaged("retention");
  return Position{format::get_u64_be(value.data())};
}

}  // namespace

void FloorTable::put(SystemTime time, Position floor, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(time), format::u64_key(floor.value));
}

Result<Position> FloorTable::greatest() const {
  Position out = kNoPosition;
  const auto take = [&](std::string_view, std::string_view value) -> Result<bool> {
    TRY(const Position floor, decode(value));
    out = std::max(out, floor);
    return true;
  };
  TRY_STATUS(
      scan_prefix(database_.rows(Family::kMeta), prefix(), "reading what retention dropped", take));
  return out;
}

Result<Position> FloorTable::take(SystemTime time, rocksdb::WriteBatch& batch) const {
  if (time < SystemTime()) return kNoPosition;
  const std::string end = key(time);
  Position out = kNoPosition;
  std::string last;
  const auto take = [&](std::string_view row, std::string_view value) -> Result<bool> {
    if (row > end) return false;
    if (!last.empty()) batch.Delete(database_.family(Family::kMeta), last);
    last = row;
    TRY(const Position floor, decode(value));
    out = std::max(out, floor);
    return true;
  };
  TRY_STATUS(
      scan_prefix(database_.rows(Family::kMeta), prefix(), "reading what retention dropped", take));
  return out;
}

}  // namespace eventhorn::store
