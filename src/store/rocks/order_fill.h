// Makes the rows under kUnseen that a store of before there were any lacks: from the log, newest
// first, a bounded step at each turn of the indexer. A mark tells how far that has come. What lies
// behind the mark is complete; what lies before it is read from the log itself (order_reader.h).
#pragma once

#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tables/number_table.h"

#include <atomic>
#include <cstdint>
#include <vector>

namespace eventhorn::store {

class OrderFill {
 public:
  /// Events that one step looks at.
  static constexpr size_t kStep = 4096;

  /// All must outlive this.
  struct Parts {
    const Database& database;
    const LogTable& log;
    const NumberTable& numbers;
    const Floors& floors;
  };

  explicit OrderFill(const Parts& parts) : parts_(parts) {}

  /// While the store is opened. The events up to `indexed_through` are in the indexes already, of
  /// whatever version those are.
  Status load(Position indexed_through);

  /// Every event after it has a row in `classes`, or is in the tail. Any thread. It only falls, so
  /// a reader that takes it before it opens an iterator misses nothing.
  Position complete_after() const { return {mark_.load(std::memory_order_acquire)}; }

  /// Completes some of what is before the mark. On the indexer's worker, with the database in use.
  void step();

 private:
  Status fill();
  Result<std::vector<EventHead>> heads_before_mark(Position& begin) const;

  const Parts parts_;
  std::atomic<uint64_t> mark_{0};
  bool told_ = false;  // that it cannot go on; touched only on the worker
};

}  // namespace eventhorn::store
