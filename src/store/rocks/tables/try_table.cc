#include "store/rocks/tables/try_table.h"

#include <rocksdb/write_batch.h>

#include <algorithm>

namespace eventhorn::store {

std::string TryTable::prefix(LaneId lane, Position position) {
  std::string out;
  out.reserve(24);
  format::put_u64_be(out, lane.value);
  format::put_u64_be(out, position.value);
  return out;
}

std::string TryTable::key(LaneId lane, Position position, SystemTime written) {
  std::string out = prefix(lane, position);
  format::put_u64_be(out, static_cast<uint64_t>(std::max<int64_t>(to_micros(written), 0)));
  return out;
}

void TryTable::put(const AttemptRow& row, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kTries), key(row.lane, row.position, row.written), {});
}

}  // namespace eventhorn::store
