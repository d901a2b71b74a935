// The ids of events that the store has: those in the tail, and those in the id index.
#pragma once

#include "store/event_log.h"
#include "store/rocks/tables/id_table.h"
#include "store/rocks/tail.h"
#include "store/rocks/unreadable_reads.h"

#include <string>
#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class KnownIds {
 public:
  /// All must outlive this.
  KnownIds(const Tail& tail, const IdTable& ids, UnreadableReads& unreadable)
      : tail_(tail), ids_(ids), unreadable_(unreadable) {}

  /// As EventLog::find_events().
  Result<std::vector<Position>> find(DomainUid domain, const std::vector<std::string>& ids) const;

  /// Sets the outcome of each append whose id is known, or is that of another one before it. An id
  /// that cannot be read costs its own append.
  void judge(std::vector<WriteSet::Append>& appends) const;

 private:
  const Tail& tail_;
  const IdTable& ids_;
  UnreadableReads& unreadable_;
};

}  // namespace eventhorn::store
