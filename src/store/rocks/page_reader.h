// Pages of a domain's events by time: the rows of the index `times` and of the tail, merged, and
// their events from the log. A read takes the tail's runs first and opens its iterator after, so
// that an event that moves from the tail to the index meanwhile is seen (once or twice, never not
// at all).
#pragma once

#include "store/pages.h"
#include "store/rocks/floors.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tables/time_table.h"
#include "store/rocks/tail.h"

namespace eventhorn::store {

/// Any thread, with the database in use.
class PageReader {
 public:
  /// All must outlive this.
  struct Parts {
    const Tail& tail;
    const TimeTable& times;
    const LogTable& log;
    const Floors& floors;
  };

  explicit PageReader(const Parts& parts) : parts_(parts) {}

  /// As Pages::read_page().
  Result<PageSlice> read(const PageQuery& query) const;

 private:
  struct Wanted;
  Result<bool> fetch(const PageQuery& query, Wanted& wanted, PageSlice& out) const;

  const Parts parts_;
};

}  // namespace eventhorn::store
