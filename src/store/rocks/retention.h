// What retention has dropped. Rows below the floors go when RocksDB compacts them, here some and
// there some; until then readers skip them.
#pragma once

#include "store/rocks/families.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace rocksdb {
class CompactionFilterFactory;
}  // namespace rocksdb

namespace eventhorn::store {

/// Shared with the compaction filters, which run on RocksDB's threads.
struct Floors {
  std::atomic<uint64_t> events{0};  // positions below are gone
  std::atomic<uint64_t> ids{0};     // id rows of positions below are gone
  /// Rows of the catch-up index and missed events below are gone: 7 days later than their events,
  /// so that what a lane lost can be counted.
  std::atomic<uint64_t> classes{0};
  std::atomic<int64_t> attempts_us{0};  // attempts written before are gone
};

/// Not for the log.
std::shared_ptr<rocksdb::CompactionFilterFactory> make_retention_filter(
    Family family, std::shared_ptr<Floors> floors);

}  // namespace eventhorn::store
