// Pages of a domain's events by time: their rows (page_rows.h: all, or those that have the terms
// of a filter), and the events from the log.
#pragma once

#include "store/pages.h"
#include "store/rocks/floors.h"
#include "store/rocks/page_rows.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tables/term_table.h"
#include "store/rocks/tables/time_table.h"
#include "store/rocks/tail.h"
#include "store/rocks/term_rebuild.h"
#include "store/rocks/unreadable_reads.h"

namespace eventhorn::store {

/// Any thread, with the database in use.
class PageReader {
 public:
  /// All must outlive this.
  struct Parts {
    const Tail& tail;
    const TimeTable& times;
    const TermTable& terms;
    const LogTable& log;
    const Floors& floors;
    const TermRebuild& rebuild;
    UnreadableReads& unreadable;
  };

  explicit PageReader(const Parts& parts) : parts_(parts) {}

  /// As Pages::read_page().
  Result<PageSlice> read(const PageQuery& query) const;

 private:
  struct Wanted;
  Result<PageSlice> read_rows(const PageQuery& query, PageRows& rows, uint64_t floor) const;
  Result<bool> fetch(const PageQuery& query, Wanted& wanted, PageSlice& out) const;

  Result<std::string> id_of(DomainUid domain, const PageCursor& row, const EventPtr& event,
                            Position position) const;

  const Parts parts_;
};

}  // namespace eventhorn::store
