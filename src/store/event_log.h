// The log: events and configuration changes in one order, each at a position of its own.
#pragma once

#include "base/result.h"
#include "store/model.h"

#include <functional>
#include <string>
#include <vector>

namespace eventhorn::store {

/// An edit of one domain, run by commit() in the order of the log, so that edits never lose each
/// other's work. Gets the current value (null when there is none) and the edit's position; returns
/// the new value, null to delete the domain, or an error, which changes nothing. It is pure and may
/// be run more than once for one commit: an engine may have to try a commit again. An edit owns the
/// positions [at, at + kEditStride), also when it changes nothing.
using DomainEdit = std::function<Result<DomainPtr>(const DomainPtr& current, Position at)>;
inline constexpr uint64_t kEditStride = 32;
static_assert(kEditStride >= webhook::kHooks * webhook::kMaxUrlsPerHook,
              "each new lane of an edit takes one for its id");

/// One atomic write: its appends, then its edits. commit() fills in the answers.
struct WriteSet {
  struct Append {
    NewEvent event;
    /// Of an id that the domain has already: kDuplicate with the bytes of the original,
    /// kConflicting with others. The domain has it from its first append, which may be an earlier
    /// one of the set, until expire() is called with a time 7 days beyond the event's commit.
    /// kUnreadable: whether it has it cannot be read; the event was not stored.
    enum class Outcome { kStored, kDuplicate, kConflicting, kUnreadable };
    Outcome outcome = Outcome::kStored;
    EventPtr stored;  // null unless kStored
  };

  struct Edit {
    std::string name;  // domain, lower case
    DomainEdit edit;
    Result<DomainChange> outcome = fail(Errc::kInternal, "edit not run");
  };

  std::vector<Append> appends;
  std::vector<Edit> edits;
};

class EventLog {
 public:
  virtual ~EventLog() = default;

  /// Writes all of `set` or nothing. When it returns, the set is durable, then visible to readers.
  /// kUnavailable when the engine refused (disk full, I/O error): nothing of the set is visible,
  /// and the engine takes no further write before Upkeep::recover(). The set may still turn out to
  /// be durable: recover() makes it visible then. Durable with it is all that was written earlier,
  /// by whatever member. From one thread.
  virtual Status commit(WriteSet& set) = 0;

  /// The last visible position.
  virtual Position head() const = 0;

  /// Heads of the events after a position, in log order, at most `max`; empty at the end.
  virtual Result<std::vector<EventHead>> read_heads(Position after, size_t max) = 0;

  /// The events at these positions; null for those that retention has dropped.
  virtual Result<std::vector<EventPtr>> read_events(const std::vector<Position>& positions) = 0;

  /// Where the events with these ids are, kNoPosition for ids that the domain does not have. An
  /// event may be gone already: ids outlive their events.
  virtual Result<std::vector<Position>> find_events(DomainUid domain,
                                                    const std::vector<std::string>& ids) = 0;

  /// Of the last event committed before `time`; kNoPosition when all that are left came later.
  virtual Result<Position> position_before(SystemTime time) = 0;
};

}  // namespace eventhorn::store
