// Whether the store takes writes, as all of its writers see it: good or failed, and how often it
// was recovered since the start (its generation).
//
// A writer takes the generation before it uses the store, and names it when a write failed: an
// error of a store that has been recovered since is no error of the store that is there now. Only
// recover() makes a failed store good again, and generations only grow.
//
// Any thread, without a lock, except look() and recover(): those belong to the committing thread.
#pragma once

#include "base/metrics.h"
#include "base/time.h"
#include "store/upkeep.h"
#include "store/writer_options.h"

#include <atomic>
#include <functional>
#include <vector>

namespace eventhorn::store {

class StoreHealth {
 public:
  using Generation = uint64_t;

  /// Both must outlive this.
  StoreHealth(Upkeep& store, const Clock& clock, const WriterOptions& options);

  /// Adds what is called after each change between good and failed, on the thread that made it.
  /// Before start().
  void on_change(std::function<void()> listener);

  /// From now on appends are taken.
  void start();

  /// OK while appends are taken; kUnavailable, saying why, while the disk or the store refuses, or
  /// the indexes are too far behind.
  Status status() const;

  bool good() const { return (state_.load() & kFailed) == 0; }

  Generation generation() const { return state_.load() / kGeneration; }

  /// A write to the store of generation `used` failed. Ignored when the store has failed already,
  /// or was recovered since.
  void failed(Generation used, const Error& error);

  /// Looks at what no writer tells: writes of others that failed, the indexes, and now and then the
  /// free space.
  void look();

  /// One try to make a failed store good: the store recovers, then `hand_over` passes on what its
  /// failed writes left in it. An error of either leaves it failed.
  Status recover(const std::function<Status()>& hand_over);

 private:
  static constexpr uint64_t kFailed = 1;
  static constexpr uint64_t kGeneration = 2;

  void changed() const;

  Upkeep& store_;
  const Clock& clock_;
  const uint64_t min_free_bytes_;
  const std::chrono::milliseconds look_interval_;
  std::vector<std::function<void()>> listeners_;  // constant after start()

  std::atomic<bool> started_{false};
  std::atomic<uint64_t> state_{0};  // generation * kGeneration, plus kFailed while failed
  std::atomic<bool> disk_low_{false};
  std::atomic<bool> indexes_lag_{false};
  SteadyTime space_checked_ = SteadyTime::min();  // touched only on the committing thread
  metrics::Counter failures_;
};

}  // namespace eventhorn::store
