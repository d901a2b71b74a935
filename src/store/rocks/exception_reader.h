// Exceptions with their hooks: rows of version 1 have none, so their events in the log tell it,
// while there are any.
#pragma once

#include "store/rocks/tables/exception_table.h"
#include "store/rocks/tables/log_table.h"

#include <utility>

namespace eventhorn::store {

/// Any thread, with the database in use.
class ExceptionReader {
 public:
  /// Both must outlive this.
  ExceptionReader(const ExceptionTable& exceptions, const LogTable& log)
      : exceptions_(exceptions), log_(log) {}

  /// Calls `each(const ExceptionRow&)`, which returns Result<bool>, for the exceptions of a lane
  /// after a position, in order, until it returns false.
  template <class F>
  Status scan(LaneId lane, Position after, F each) const {
    return exceptions_.scan(lane, after, completed(each));
  }

  /// The same for all lanes.
  template <class F>
  Status scan_all(F each) const {
    return exceptions_.scan_all(completed(each));
  }

 private:
  template <class F>
  auto completed(F& each) const {
    return [this, &each](ExceptionRow& row, bool has_hook) -> Result<bool> {
      if (!has_hook) {
        TRY(const auto head, log_.find_head(row.position));
        if (head) row.hook = webhook::hook_for(head->name, head->severity).value_or(row.hook);
      }
      return each(std::as_const(row));
    };
  }

  const ExceptionTable& exceptions_;
  const LogTable& log_;
};

}  // namespace eventhorn::store
