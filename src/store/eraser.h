// Erasing: events of a domain are removed, or written anew, where they are. The embedded engine
// alone can do it.
#pragma once

#include "base/result.h"
#include "store/model.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// What becomes of an event.
struct Rewrite {
  /// In its place, of the same name, severity and timestamp; its id may be another one, which no
  /// event of the domain has. nullopt: the event goes.
  std::optional<event::Event> event;
};

struct EraseQuery {
  DomainUid domain;
  Position after;
  /// The end; not beyond EventLog::head().
  Position through;
  size_t max_scan = 1000;
  size_t max_bytes = size_t{1} << 20;
  /// nullopt leaves the event as it is.
  std::function<std::optional<Rewrite>(const StoredEvent&)> rewrite;
};

struct EraseSlice {
  /// Every event up to here was looked at.
  Position reached;
  bool at_end = false;
  size_t looked_at = 0;
  size_t removed = 0;
  size_t redacted = 0;
  /// The first and the last that was changed.
  std::optional<PositionRange> changed{};
  /// Records that cannot be read, and are as they were: a repair leaves them out.
  size_t damaged = 0;
};

struct EraseAttemptsSlice {
  /// Where the next slice begins; opaque.
  std::string reached;
  bool at_end = false;
  size_t changed = 0;
};

/// Any thread; blocks on the disk. Of two calls one waits for the other, and for a turn of the
/// indexer.
class Eraser {
 public:
  virtual ~Eraser() = default;

  /// Changes the events, their ids, their places in the pages and what searches find them by; and
  /// takes removed ones from the lists of missed events of `lanes`. What is done is durable when it
  /// returns, and one event is changed as a whole or not at all. Readers find removed events gone,
  /// and no gap in their place; EventLog's ids of them are not known any more.
  /// LaneLog::count_lane() may count them all the same.
  virtual Result<EraseSlice> erase(const EraseQuery& query, const std::vector<LaneId>& lanes) = 0;

  /// Changes texts of the records of attempts, of all lanes, from where a slice ended (empty: from
  /// the beginning): `change` is true when it has changed the text.
  virtual Result<EraseAttemptsSlice> erase_attempts(
      const std::string& after, const std::function<bool(std::string& text)>& change) = 0;

  /// Whether there is a value whose key begins with `prefix` of which `mentions` is true.
  virtual Result<bool> values_mention(
      const std::string& prefix, const std::function<bool(std::string_view value)>& mentions) = 0;

  /// Leaves nothing on the disk of what was changed or removed before the call: writes tables anew
  /// and drops the write-ahead logs of before. `changed` are events of the domain, nullopt for
  /// none. Takes long in a large store; kCancelled when the store is reopened meanwhile, and after
  /// end_purges().
  virtual Status purge(DomainUid domain, std::optional<PositionRange> changed) = 0;

  /// The process is about to end: no purge goes on. Does not wait.
  virtual void end_purges() = 0;
};

}  // namespace eventhorn::store
