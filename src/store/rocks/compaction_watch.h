// Keeps a table that cannot be read from stopping more than itself. RocksDB takes a compaction that
// failed for a reason to take no more writes; and it tries the compaction again for ever, while the
// tables that wait for it slow down writes to every family, and then stop them.
#pragma once

#include "base/mutex.h"
#include "base/time.h"
#include "store/rocks/database.h"
#include "store/rocks/unreadable_reads.h"

#include <rocksdb/listener.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
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

  /// Of a family that is off all counts begin anew when it is on again.
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& info) override {
    const bool unreadable =
        info.status.IsCorruption() || (info.status.IsIOError() && !info.status.IsNoSpace());
    if (!unreadable && !info.status.ok()) return;
    const MutexLock lock(mutex_);
    for (size_t i = 0; i < kFamilyNames.size(); ++i) {
      if (info.cf_name != kFamilyNames[i]) continue;
      states_[i].failures = unreadable ? states_[i].failures + 1 : 0;
      states_[i].error = info.status.ToString();
    }
  }

  struct Change {
    Family family;
    bool on;
    std::string error;  // why it goes off
  };

  /// Families whose compactions are to cease, because kTries in a row failed, and those that have
  /// ceased for kRest and are to be tried again, because a disk may come right. Each change is
  /// given once.
  std::vector<Change> take_changes(SteadyTime now) {
    const MutexLock lock(mutex_);
    std::vector<Change> out;
    for (size_t i = 0; i < kFamilyNames.size(); ++i) {
      auto& state = states_[i];
      if (!state.off_since && state.failures >= kTries) {
        state.off_since = now;
        out.push_back({Family{i}, false, state.error});
      } else if (state.off_since && now - *state.off_since >= kRest) {
        state = {};
        out.push_back({Family{i}, true, {}});
      }
    }
    return out;
  }

  static constexpr int kTries = 5;  // a second apart
  static constexpr std::chrono::minutes kRest{10};

 private:
  struct State {
    int failures = 0;  // in a row
    std::string error;
    std::optional<SteadyTime> off_since;
  };

  Mutex mutex_;
  std::array<State, kFamilyNames.size()> states_ GUARDED_BY(mutex_){};
};

/// Makes the changes that `watch` has, and notes the families that go off in `unreadable`. With the
/// database in use.
void change_compactions(CompactionWatch& watch, const Database& database, SteadyTime now,
                        UnreadableReads& unreadable);

}  // namespace eventhorn::store
