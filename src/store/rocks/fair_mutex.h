// A shared mutex whose exclusive lock no stream of readers can starve (std::shared_mutex prefers
// them): once someone waits for it, later readers wait behind.
#pragma once

#include <atomic>
#include <mutex>
#include <shared_mutex>

namespace eventhorn::store {

/// Works with std::unique_lock and std::shared_lock. No thread may take the shared lock twice: it
/// would wait behind a writer that waits for it.
class FairSharedMutex {
 public:
  void lock() {
    const std::lock_guard turn(turn_);
    waiting_ = true;
    mutex_.lock();
    waiting_ = false;
  }

  void unlock() { mutex_.unlock(); }

  void lock_shared() {
    if (waiting_) const std::lock_guard behind(turn_);
    mutex_.lock_shared();
  }

  bool try_lock_shared() { return !waiting_ && mutex_.try_lock_shared(); }

  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
  std::mutex turn_;  // held by the writer that is next
  std::atomic<bool> waiting_{false};
};

}  // namespace eventhorn::store
