#include "store/rocks/clock_keeper.h"

#include <rocksdb/write_batch.h>

#include <optional>

namespace eventhorn::store {

Status ClockKeeper::write(rocksdb::WriteBatch& batch, bool has_stamps) {
  std::unique_lock<std::mutex> lock;
  std::optional<KeptClock::Saved> row;
  if (has_stamps && clock_.due()) {
    lock = std::unique_lock(mutex_);
    row = clock_.save();
    table_.put(*row, batch);
  }
  if (batch.Count() == 0) return {};
  auto status = wal_.write(batch, "writing to the store");
  if (!status) {
    clock_.lost();
    return status;
  }
  if (row) clock_.saved(*row);
  return {};
}

Status ClockKeeper::write_synced(rocksdb::WriteBatch& batch, const char* doing) {
  const std::lock_guard lock(mutex_);
  const auto row = clock_.save();
  table_.put(row, batch);
  TRY_STATUS(wal_.write_synced(batch, doing));
  clock_.saved(row);
  return {};
}

}  // namespace eventhorn::store
