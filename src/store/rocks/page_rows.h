// The rows of a page in the direction of travel, from the indexes and the tail. Whoever makes one
// takes the tail's runs first: an event that is in no run any more is in every index.
#pragma once

#include "store/pages.h"
#include "store/rocks/tables/time_table.h"
#include "store/rocks/tail.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace eventhorn::store {

/// Where a row stands among those of a query (PageCursor).
PageCursor cursor_of(const PageQuery& query, const TimeRow& row);

/// One thread, with the database in use.
class PageRows {
 public:
  virtual ~PageRows() = default;

  /// nullopt at the end of the range. A row that a cursor at it would have beyond it comes once. An
  /// index that cannot be read is an error, whatever the tail still has; kCancelled when the
  /// query's give_up said so (see given_up_at()).
  virtual Result<std::optional<TimeRow>> next() = 0;

  /// Whether rows tell the name and the severity of their events.
  virtual bool knows_kinds() const { return true; }

  /// After kCancelled: no row is left before that.
  virtual PageCursor given_up_at() const { return {}; }
};

/// Entries of the tail within the query's range, beyond its cursor and `wanted`, in the direction
/// of travel; at most max_scan. Of several domains they have no ids.
std::vector<TimeRow> tail_rows(const Tail::Runs& runs, const PageQuery& query,
                               const std::function<bool(const TailEntry&)>& wanted);

/// Every event of a domain.
class AllRows final : public PageRows {
 public:
  /// All must outlive this.
  AllRows(const TimeTable& times, const Tail::Runs& runs, const PageQuery& query);

  Result<std::optional<TimeRow>> next() override;

 private:
  TimeTable::Walk walk_;
  std::vector<TimeRow> tail_;
  const bool ascending_;
  size_t tail_next_ = 0;
};

}  // namespace eventhorn::store
