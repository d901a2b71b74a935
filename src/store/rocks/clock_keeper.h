// Keeps the row of the kept clock in the store: writes it with batches whose rows carry stamps of
// the clock, when it is due, so that no stamp is much later than the row (KeptClock::kSaveEvery).
#pragma once

#include "store/kept_clock.h"
#include "store/rocks/tables/clock_table.h"
#include "store/rocks/wal.h"

#include <mutex>

namespace eventhorn::store {

/// Any thread, with the database in use.
class ClockKeeper {
 public:
  /// All must outlive this.
  ClockKeeper(KeptClock& clock, const ClockTable& table, Wal& wal)
      : clock_(clock), table_(table), wal_(wal) {}

  /// As Wal::write(). `has_stamps`: rows of the batch carry stamps of the clock. An empty batch is
  /// not written.
  Status write(rocksdb::WriteBatch& batch, bool has_stamps);

  /// As Wal::write_synced(), with the row, whether it is due or not.
  Status write_synced(rocksdb::WriteBatch& batch, const char* doing);

  /// What write() wrote last may be lost, because it could not be synced.
  void lost() { clock_.lost(); }

 private:
  KeptClock& clock_;
  const ClockTable& table_;
  Wal& wal_;
  /// Held from the taking of the row to its write, because an older row must not overwrite a newer
  /// one.
  std::mutex mutex_;
};

}  // namespace eventhorn::store
