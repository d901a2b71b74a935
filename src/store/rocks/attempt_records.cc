#include "store/rocks/attempt_records.h"

#include <map>

namespace eventhorn::store {

void AttemptRecords::put(const std::vector<AttemptRow>& rows, rocksdb::WriteBatch& batch) const {
  std::map<LaneId, std::vector<const AttemptRow*>> successes;
  for (const auto& row : rows) {
    if (row.attempt == 1 && row.failure.empty() && row.error.empty()) {
      successes[row.lane].push_back(&row);
      continue;
    }
    attempts_.put(row, batch);
    tries_.put(row, batch);
  }
  for (const auto& [lane, packed] : successes) attempts_.put_packed(packed, batch);
}

Result<std::vector<AttemptRow>> AttemptRecords::read(LaneId lane, Position position,
                                                     SystemTime committed, size_t max) const {
  std::vector<AttemptRow> out;
  const auto take = [&](SystemTime written) -> Result<bool> {
    if (out.size() >= max) return false;
    TRY_STATUS(attempts_.read(lane, written, position, out));
    return true;
  };
  TRY_STATUS(tries_.scan(lane, position, take));
  if (out.size() >= max) return out;
  // A success at the first try is packed with others of its moment: at the only try, or after a
  // replay behind the failures. Full records of the former version are met here as well.
  const SystemTime from = out.empty() ? committed : out.back().written + Micros(1);
  TRY_STATUS(attempts_.find_success(lane, position, from, max, out));
  return out;
}

}  // namespace eventhorn::store
