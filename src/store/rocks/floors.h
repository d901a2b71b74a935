// What retention has dropped (retention.h). Rows below the floors go when RocksDB compacts them,
// here some and there some; until then readers skip them.
#pragma once

#include <atomic>
#include <cstdint>

namespace eventhorn::store {

/// Shared with the compaction filters, which run on RocksDB's threads. A floor never falls.
struct Floors {
  std::atomic<uint64_t> events{0};  // positions below are gone
  std::atomic<uint64_t> ids{0};     // id rows of positions below are gone
  /// Rows of the catch-up index and missed events below are gone: 7 days later than their events,
  /// so that what a lane lost can be counted.
  std::atomic<uint64_t> classes{0};
  std::atomic<int64_t> attempts_us{0};  // attempts written before are gone
};

}  // namespace eventhorn::store
