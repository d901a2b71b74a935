// Keeps a table that cannot be read from stopping more than itself. RocksDB takes a compaction that
// failed for a reason to take no more writes; and it tries the compaction again for ever, while the
// tables that wait for it slow down writes to every family, and then stop them.
#pragma once

#include "store/rocks/families.h"

#include <rocksdb/listener.h>

#include <array>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// Called on RocksDB's threads.
class CompactionWatch final : public rocksdb::EventListener {
 public:
  /// A full disk is not passed over, because RocksDB goes on by itself once there is room.
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    if (reason == rocksdb::BackgroundErrorReason::kCompaction && !error->IsNoSpace())
      *error = rocksdb::Status::OK();
  }

  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    if (!info.status.IsCorruption() && (!info.status.IsIOError() || info.status.IsNoSpace()))
      return;
    const std::lock_guard lock(mutex_);
    for (size_t i = 0; i < kFamilyNames.size(); ++i) {
      if (info.cf_name != kFamilyNames[i]) continue;
      if (++failures_[i] == kTries) hopeless_.push_back({Family{i}, info.status.ToString()});
    }
  }

  struct Hopeless {
    Family family;
    std::string error;
  };

  /// Families whose compactions failed kTries times since the store was opened. Each is given once.
  std::vector<Hopeless> take_hopeless() {
    const std::lock_guard lock(mutex_);
    return std::exchange(hopeless_, {});
  }

 private:
  static constexpr int kTries = 5;  // a second apart

  std::mutex mutex_;
  std::array<int, kFamilyNames.size()> failures_{};  // guarded by mutex_
  std::vector<Hopeless> hopeless_;                   // guarded by mutex_
};

}  // namespace eventhorn::store
