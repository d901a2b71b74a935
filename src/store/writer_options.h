// How the writers of a store work: writers.h and what it is made of.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace eventhorn::store {

struct WriterOptions {
  /// Bytes of events that may wait; more is refused with kRateLimited.
  size_t max_queued_bytes = 64 << 20;
  size_t max_batch_events = 2048;
  /// Progress is durable so long after it was saved, at the latest.
  std::chrono::milliseconds durable_after{1000};
  /// Appends are refused with kUnavailable while the disk has less.
  uint64_t min_free_bytes = 256 << 20;
  /// Between two tries to recover a failed store, and between two looks at the free space and at
  /// whether the store failed.
  std::chrono::milliseconds recover_interval{1000};
};

}  // namespace eventhorn::store
