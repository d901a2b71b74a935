// What a lane that is behind reads and counts: its events in the log, by the index `classes` and
// the tail, or the ones that it missed. Every read takes the tail's runs first and opens its
// iterator after, so that an event that moves from the tail to an index meanwhile is seen.
#pragma once

#include "store/lane_log.h"
#include "store/rocks/exception_reader.h"
#include "store/rocks/floors.h"
#include "store/rocks/tables/class_table.h"
#include "store/rocks/tables/floor_table.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tail.h"

#include <atomic>
#include <cstdint>

namespace eventhorn::store {

/// Any thread, with the database in use. `head` is the last visible position: nothing beyond it is
/// looked at.
class LaneReader {
 public:
  /// All must outlive this.
  struct Parts {
    const Tail& tail;
    const ClassTable& classes;
    const ExceptionReader& exceptions;
    const LogTable& log;
    const FloorTable& dropped;
    const Floors& floors;
  };

  explicit LaneReader(const Parts& parts) : parts_(parts) {}

  /// As LaneLog::read_lane().
  Result<LaneSlice> read(const LaneQuery& query, Position head) const;

  /// As LaneLog::count_lane().
  Result<EventCount> count(const LaneQuery& query, Position head) const;

  /// Rows of the index that count() has looked at so far. For tests.
  uint64_t rows_counted() const { return rows_counted_; }

 private:
  struct Candidates;
  Status find_in_index(Candidates& found) const;
  Status find_missed(Candidates& found) const;
  static void find_in_tail(const Tail::Runs& runs, Candidates& found);
  Result<LaneSlice> fetch(Candidates& found) const;
  Status count_indexed(const LaneQuery& query, Position to, EventCount& out) const;
  Result<EventCount> count_missed(const LaneQuery& query, Position to) const;

  const Parts parts_;
  mutable std::atomic<uint64_t> rows_counted_{0};
};

}  // namespace eventhorn::store
