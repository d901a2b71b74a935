// What RocksDB leaves out when it compacts: rows of which their tables say that they have expired.
#pragma once

#include "store/rocks/families.h"
#include "store/rocks/floors.h"

#include <memory>

namespace rocksdb {
class CompactionFilterFactory;
}  // namespace rocksdb

namespace eventhorn::store {

/// Not for the log.
std::shared_ptr<rocksdb::CompactionFilterFactory> make_retention_filter(
    Family family, std::shared_ptr<Floors> floors);

}  // namespace eventhorn::store
