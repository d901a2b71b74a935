// The events of a domain, or of all, in the order of their commits: what a poller follows.
#pragma once

#include "base/result.h"
#include "store/model.h"

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// A position and when what is there was committed: all that was committed before that time lies at
/// it or before it.
struct Committed {
  Position position;
  SystemTime at;
  friend bool operator==(const Committed&, const Committed&) = default;
};

struct OrderQuery {
  /// nullopt: the events of all domains.
  std::optional<DomainUid> domain;
  Position after;
  /// At most so many rows are looked at; at least one.
  size_t max_scan = 4096;
  /// At most so many events come back; at least one.
  size_t max_events = 100;
  /// The slice ends with the event at which so many bytes were looked at, whether `matches` took
  /// them or not.
  size_t max_bytes = SIZE_MAX;
  /// Looked at before the bytes are read; null takes all.
  std::function<bool(DomainUid, event::Name, event::Severity)> may_match;
  /// Decides on the bytes; null takes all.
  std::function<bool(std::string_view bytes)> matches;
  /// Asked between two events that are looked at; true ends the slice there. Null goes on.
  std::function<bool()> give_up;
};

struct OrderSlice {
  std::vector<EventPtr> events;  // by position
  /// Every event asked for, up to and including this position, was looked at: the next slice comes
  /// after it.
  Position reached;
  /// True when nothing more is to be had now.
  bool at_end = false;
  /// Retention has dropped what is up to and including this position. When it lies beyond
  /// `OrderQuery::after`, events may be missing: none comes back, and nothing is reached.
  Position gone_through{};
  /// Of the events up to `reached` that are left out because their records are damaged. Where no
  /// index tells of them (those of all domains, and of an older store) also of places that cannot
  /// be read and may have held none, or one of another domain.
  std::vector<Position> damaged{};
};

class CommitOrder {
 public:
  virtual ~CommitOrder() = default;

  virtual Result<OrderSlice> read_order(const OrderQuery& query) = 0;

  /// The last visible position, and up to when all commits are visible. Read before a page, it
  /// tells what the page has in view. Cheap.
  virtual Committed last_commit() const = 0;

  /// When the event at `position` was committed; of a place without an event, or one whose event
  /// cannot be read, nullopt.
  virtual Result<std::optional<SystemTime>> committed_at(Position position) = 0;

  /// Names this life of the log: a random number, another one after a repair. Positions of
  /// different generations have nothing to do with each other.
  virtual uint64_t generation() const = 0;
};

}  // namespace eventhorn::store
