#include "store/rocks/progress_rows.h"

#include <rocksdb/write_batch.h>

#include <algorithm>
#include <utility>

namespace eventhorn::store {

void ProgressRows::put(const Progress& progress, rocksdb::WriteBatch& batch) const {
  for (const auto& row : progress.lanes) tables_.lanes.put(row, batch);
  for (const LaneId lane : progress.settled_lanes) tables_.lanes.remove(lane, batch);
  put_exceptions(progress, batch);
  // Behind both: rows written while the lane still lived go with it.
  for (const LaneId lane : progress.ended_lanes) {
    tables_.lanes.remove(lane, batch);
    tables_.exceptions.remove_all(lane, batch);
  }
  for (const auto& row : progress.endpoints) tables_.endpoints.put(row, batch);
  for (const auto& url : progress.well_endpoints) tables_.endpoints.remove(url, batch);
  if (progress.mark) tables_.marks.put(*progress.mark, batch);
  attempts.put(progress.attempts, batch);
}

// In the order in which they were put and ended (Progress::end_exception).
void ProgressRows::put_exceptions(const Progress& progress, rocksdb::WriteBatch& batch) const {
  const auto& rows = progress.exceptions;
  size_t next = 0;
  for (const auto& ended : progress.ended_exceptions) {
    for (; next < std::min(ended.after, rows.size()); ++next)
      tables_.exceptions.put(rows[next], batch);
    tables_.exceptions.remove(ended.lane, ended.position, batch);
  }
  for (; next < rows.size(); ++next) tables_.exceptions.put(rows[next], batch);
}

Result<LoadedProgress> ProgressRows::load() const {
  LoadedProgress out;
  TRY(out.marks, tables_.marks.load());
  TRY_STATUS(tables_.lanes.scan([&](LaneRow row) { out.lanes.push_back(std::move(row)); }));
  TRY_STATUS(exceptions.scan_all([&](const ExceptionRow& row) -> Result<bool> {
    if (row.missed) {
      ++out.missed;
    } else {
      out.waiting.push_back(row);
    }
    return true;
  }));
  TRY_STATUS(
      tables_.endpoints.scan([&](EndpointRow row) { out.endpoints.push_back(std::move(row)); }));
  return out;
}

}  // namespace eventhorn::store
