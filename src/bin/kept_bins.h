// Keeps bins and what they captured in the store, so that they outlive the process.
#pragma once

#include "base/result.h"
#include "bin/bins.h"
#include "store/saver.h"
#include "store/upkeep.h"
#include "store/values.h"

#include <cstdint>

namespace eventhorn::bin {

/// What changed is written within a second, by a thread of its own and not synced by itself: a
/// capture waits for no disk, and a crash costs the last second at most, longer only where more
/// comes than kMaxBytesPerRun. A bin has the value "bins/{id}", a request of it
/// "bins/{id}/{number}"; what a bin drops is removed, so their bytes are bounded as the bins' are.
///
/// The constructor's references must outlive it. load(), then start(), then stop().
class KeptBins {
 public:
  /// Of each half second, since a flood of captures must not fill the disk's time.
  static constexpr size_t kMaxBytesPerRun = 8 << 20;

  /// Nothing is written while the disk has less than `min_free_bytes` left.
  KeptBins(store::Values& values, const store::Upkeep& upkeep, Bins& bins, const Clock& clock,
           Workers& workers, uint64_t min_free_bytes);

  /// Takes up what is stored; what can't be read is left out. Before the bins are used.
  Status load();

  void start() { saver_.start(); }

  /// Saves what is not saved yet.
  void stop();

 private:
  bool save();

  store::Values& values_;
  const store::Upkeep& upkeep_;
  Bins& bins_;
  const uint64_t min_free_bytes_;
  store::Saver saver_;
};

}  // namespace eventhorn::bin
