// Rows `f` of the family `default`: time -> the position below which everything was committed
// before that time when retention ran. Once the events are gone the log no longer tells when they
// were committed, but their ids stay for 7 days more; by these rows they go then.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "store/rocks/database.h"
#include "store/rocks/format.h"

#include <cstdint>
#include <string>

namespace eventhorn::store {

/// Any thread, with the database in use.
class FloorTable {
 public:
  /// `database` must outlive this.
  explicit FloorTable(const Database& database) : database_(database) {}

  static std::string key(SystemTime time) {
    return format::meta_key(format::kFloorPrefix, static_cast<uint64_t>(to_micros(time)));
  }

  void put(SystemTime time, Position floor, rocksdb::WriteBatch& batch) const;

  /// The greatest floor; kNoPosition when there is none.
  Result<Position> greatest() const;

  /// The greatest floor of times up to `time`; kNoPosition when there is none. Older ones have
  /// served: `batch` removes them.
  Result<Position> take(SystemTime time, rocksdb::WriteBatch& batch) const;

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
