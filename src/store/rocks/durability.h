// What of the write-ahead log is known to be on the disk: up to which place, and which saves of
// progress. A save that returned before a sync began is durable once that sync has succeeded.
#pragma once

#include "base/mutex.h"
#include "store/progress_store.h"

#include <algorithm>
#include <compare>
#include <cstdint>

namespace eventhorn::store {

/// A place in the write-ahead log: the number of its file, and bytes of that.
struct WalPlace {
  uint64_t file = 0;
  uint64_t bytes = 0;
  friend auto operator<=>(const WalPlace&, const WalPlace&) = default;
};

/// Thread-safe.
class Durability {
 public:
  /// A save was written. Its token.
  SaveToken saved() {
    const MutexLock lock(mutex_);
    return {opening_, ++saves_};
  }

  /// The number of the last save, for synced(). To be taken before a sync begins.
  uint64_t saves() const {
    const MutexLock lock(mutex_);
    return saves_;
  }

  /// A sync succeeded: all before `place` and the saves up to number `saves` are on the disk.
  void synced(WalPlace place, uint64_t saves) {
    const MutexLock lock(mutex_);
    place_ = std::max(place_, place);
    durable_saves_ = std::max(durable_saves_, saves);
  }

  bool durable(SaveToken token) const {
    const MutexLock lock(mutex_);
    return token.opening == opening_ && token.number <= durable_saves_;
  }

  /// All before it is on the disk.
  WalPlace place() const {
    const MutexLock lock(mutex_);
    return place_;
  }

  /// The database was opened, with a new log that begins at `place`: no save of before is durable
  /// any more, because what was not synced may be lost.
  void opened(WalPlace place) {
    const MutexLock lock(mutex_);
    place_ = std::max(place_, place);
    ++opening_;
  }

 private:
  mutable Mutex mutex_;
  WalPlace place_ GUARDED_BY(mutex_);
  uint64_t opening_ GUARDED_BY(mutex_) = 0;
  uint64_t saves_ GUARDED_BY(mutex_) = 0;
  uint64_t durable_saves_ GUARDED_BY(mutex_) = 0;
};

}  // namespace eventhorn::store
