// Events in the order of their commits: of one domain its classes in the index `classes` and the
// tail, merged by position; of all domains the log itself, which also tells what an older store
// lacks in the index (order_fill.h). A read takes the mark and the tail's runs first and opens its
// iterators after, so that an event that moves meanwhile is seen.
#pragma once

#include "store/commit_order.h"
#include "store/rocks/floors.h"
#include "store/rocks/order_fill.h"
#include "store/rocks/tables/class_table.h"
#include "store/rocks/tables/floor_table.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tail.h"

namespace eventhorn::store {

/// Any thread, with the database in use. `head` is the last visible position: nothing beyond it is
/// looked at.
class OrderReader {
 public:
  /// All must outlive this.
  struct Parts {
    const Tail& tail;
    const ClassTable& classes;
    const LogTable& log;
    const OrderFill& fill;
    const FloorTable& dropped;
    const Floors& floors;
  };

  explicit OrderReader(const Parts& parts) : parts_(parts) {}

  /// As CommitOrder::read_order().
  Result<OrderSlice> read(const OrderQuery& query, Position head) const;

 private:
  struct Wanted;
  Result<OrderSlice> read_up_to(const OrderQuery& query, Position head) const;
  Result<Position> gone_through(bool ask_table) const;
  template <class Rows>
  Result<OrderSlice> read_rows(const OrderQuery& query, Rows& rows, Position to) const;
  Result<bool> fetch(const OrderQuery& query, Wanted& wanted, OrderSlice& out) const;

  const Parts parts_;
};

}  // namespace eventhorn::store
