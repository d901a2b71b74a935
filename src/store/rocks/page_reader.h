// Pages of events by time: their rows (page_rows.h: all of a domain, those that have the terms of a
// filter, or those of several domains), and the events from the log.
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

#include <cstdint>
#include <memory>

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
  std::unique_ptr<PageRows> rows_by_terms(const PageQuery& query, const Tail::Runs& runs,
                                          uint64_t floor) const;
  std::unique_ptr<PageRows> rows_by_times(const PageQuery& query, const Tail::Runs& runs,
                                          uint64_t floor) const;
  Result<PageSlice> read_rows(const PageQuery& query, PageRows& rows, uint64_t floor) const;
  Result<bool> fetch(const PageQuery& query, Wanted& wanted, PageSlice& out) const;

  Status complete(const PageQuery& query, PageCursor& row, const EventPtr& event,
                  Position position) const;

  const Parts parts_;
};

}  // namespace eventhorn::store
