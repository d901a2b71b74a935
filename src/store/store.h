// The seam between the platform and its storage engines. Operations are coarse, so that each engine
// does them its best way; store_contract_test.h is the same suite for every engine.
//
// Threads: commit(), recover() and replace_marks() come from one thread, the commit queue's; a set
// of nothing but progress may be committed by one other thread meanwhile. Every other member may be
// called from any thread at any time; all may block on the disk, so event loops go through
// run_blocking.
#pragma once

#include "base/result.h"
#include "store/kept_clock.h"
#include "store/model.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::store {

/// An edit of one domain, run inside commit() in the order of the log, so that edits never lose
/// each other's work. Gets the current value (null when there is none) and the edit's position;
/// returns the new value, null to delete the domain, or an error, which changes nothing. An edit
/// owns the positions [at, at + kEditStride).
using DomainEdit = std::function<Result<DomainPtr>(const DomainPtr& current, Position at)>;
inline constexpr uint64_t kEditStride = 32;
static_assert(kEditStride >= webhook::kHooks * webhook::kMaxUrlsPerHook,
              "each new lane of an edit takes one for its id");

/// One atomic write: its appends, then its edits, then progress. commit() fills in the answers.
struct WriteSet {
  struct Append {
    NewEvent event;
    /// kUnreadable: whether the id is there already cannot be read; the event was not stored.
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
  std::vector<Progress> progress;
};

/// Events of one lane, read from the log through the index by (domain, class, position).
struct LaneQuery {
  DomainUid domain;
  webhook::Class cls{};
  Position after;
  std::optional<Position> to;
  /// For each hook the position after which its events belong to the lane; nullopt for hooks it
  /// does not have.
  std::array<std::optional<Position>, webhook::kHooks> since;
  /// With kMissed only positions that are missed rows of `lane` are taken.
  SegmentRow::Source source = SegmentRow::Source::kLog;
  LaneId lane{};
  size_t max_events = 256;
  size_t max_bytes = 1 << 20;

  bool wants(webhook::Hook hook, Position position) const {
    const auto& begin = since[static_cast<size_t>(hook)];
    return webhook::class_of(hook) == cls && begin && *begin < position;
  }
};

/// An event that is in an index, and whose record in the log cannot be read now, or ever.
struct UnreadableEvent {
  Position position;
  webhook::Hook hook{};
};

struct LaneSlice {
  std::vector<EventPtr> events;  // by position
  /// Every event asked for, up to and including this position, is in `events` or `unreadable`.
  Position through;
  /// True when nothing more is to be had now.
  bool at_end = false;
  /// Events of the range up to `through` that retention has dropped: exact in the 7 days after.
  size_t expired = 0;
  /// Those that could not be read: they cost themselves alone. By position.
  std::vector<UnreadableEvent> unreadable{};
};

struct EventCount {
  uint64_t events = 0;
  uint64_t bytes = 0;
};

/// Where a page begins: strictly beyond (timestamp, id) in the direction of the query.
struct PageCursor {
  int64_t timestamp_us = 0;
  std::string id;
  friend auto operator<=>(const PageCursor&, const PageCursor&) = default;
};

/// A slice of one domain's events by (timestamp, id).
struct PageQuery {
  DomainUid domain;
  bool ascending = true;
  /// Half-open in the direction of travel: ascending [first_us, last_us), descending (last_us,
  /// first_us].
  int64_t first_us = 0;
  int64_t last_us = 0;
  std::optional<PageCursor> beyond;
  /// At most so many rows are looked at; at least one.
  size_t max_scan = 4096;
  /// At most so many events come back; at least one.
  size_t max_events = 100;
  /// The slice ends with the event at which so many bytes were looked at, whether `matches` took
  /// them or not.
  size_t max_bytes = SIZE_MAX;
  /// Looked at before the bytes are read; null takes all.
  std::function<bool(event::Name, event::Severity)> may_match;
  /// Decides on the bytes; null takes all.
  std::function<bool(std::string_view bytes)> matches;
  /// Asked between two events that are looked at; true ends the slice there. Null goes on.
  std::function<bool()> give_up;
};

struct PageSlice {
  std::vector<EventPtr> events;  // in the direction of travel
  /// The last row looked at: where the next slice goes on.
  std::optional<PageCursor> reached;
  /// True when the range holds nothing more.
  bool at_end = false;
  /// Ids of the events up to `reached` that are left out because their records in the log are
  /// damaged. In the direction of travel.
  std::vector<std::string> damaged{};
};

/// Values by key; nullopt removes one.
using ValueChanges = std::vector<std::pair<std::string, std::optional<std::string>>>;

class Store {
 public:
  virtual ~Store() = default;

  /// Writes all of `set` or nothing. When it returns, appends and edits are durable, then visible
  /// to the readers below; a set of nothing but progress is written, not synced. kUnavailable when
  /// the engine refused (disk full, I/O error): nothing of the set is visible, and the engine takes
  /// no further write before recover(). It may still turn out to be durable: recover() tells.
  virtual Status commit(WriteSet& set) = 0;

  /// Makes earlier unsynced writes durable.
  virtual Status sync() = 0;

  /// Whether a durable write of any member failed since the engine was opened: it takes no further
  /// one before recover(). Any thread, without a lock.
  virtual bool failed() const = 0;

  /// After a failed write: reopens the engine. Events that a failed commit did write become
  /// visible.
  virtual Status recover() = 0;

  /// kUnavailable, saying why, while so much of the log waits for the indexes that no more should
  /// be appended. Edits and progress are taken all the same.
  virtual Status may_append() const = 0;

  /// Free space for more events, in bytes; UINT64_MAX when the engine cannot tell.
  virtual uint64_t free_bytes() const = 0;

  /// The last visible position.
  virtual Position head() const = 0;

  /// Stamps commits; expire() and the attempts' `written` go by it. Kept in the store.
  virtual KeptClock& kept_clock() = 0;

  virtual Result<std::vector<DomainPtr>> load_domains() = 0;
  virtual Result<LoadedProgress> load_progress() = 0;

  /// Puts these marks in place of all that are stored, durably. At the start, see
  /// SlotMarks::to_be_rewritten().
  virtual Status replace_marks(std::span<const SlotMark> marks) = 0;

  /// Heads of the events after a position, in log order, at most `max`; empty at the end.
  virtual Result<std::vector<EventHead>> read_heads(Position after, size_t max) = 0;

  virtual Result<LaneSlice> read_lane(const LaneQuery& query) = 0;

  /// How many events read_lane would give over the whole range, and their bytes, without reading
  /// them: from running counts kept beside the index. Events that retention dropped are counted for
  /// 7 days more (with kMissed not at all). The bytes of missed events are an estimate.
  virtual Result<EventCount> count_lane(const LaneQuery& query) = 0;

  /// The last position committed before `time`; kNoPosition when all came later.
  virtual Result<Position> position_before(SystemTime time) = 0;

  /// Exception rows of a lane after a position, in order, at most `max`.
  virtual Result<std::vector<ExceptionRow>> read_exceptions(LaneId lane, Position after, size_t max,
                                                            bool missed_only) = 0;

  /// Attempts of one event in one lane, oldest first, at most `max`. `committed`: when the event
  /// was; nothing earlier is looked at.
  virtual Result<std::vector<AttemptRow>> read_attempts(LaneId lane, Position position,
                                                        SystemTime committed, size_t max) = 0;
  /// Attempts of a lane whose `written` is before `before`, newest first, at most `max`; rows
  /// written in the same microsecond as the last are not split. The next page: before the last
  /// row's `written`.
  virtual Result<std::vector<AttemptRow>> last_attempts(LaneId lane, SystemTime before,
                                                        size_t max) = 0;

  virtual Result<PageSlice> read_page(const PageQuery& query) = 0;

  /// The events at these positions; null for those that retention has dropped.
  virtual Result<std::vector<EventPtr>> read_events(const std::vector<Position>& positions) = 0;

  /// Where the events with these ids are, kNoPosition for ids that the domain does not have. An
  /// event may be gone already: ids outlive their events.
  virtual Result<std::vector<Position>> find_events(DomainUid domain,
                                                    const std::vector<std::string>& ids) = 0;

  /// Drops events committed before `events_before` from the log and the pages, attempts written
  /// before `attempts_before`, both of KeptClock::cut(); and 7 days later than their events ids,
  /// counts and missed rows: whole ranges at once, the space comes back with compaction. Returns
  /// the number of positions dropped from the log.
  virtual Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before) = 0;

  /// A value kept beside the domains: keys, secrets, counters. nullopt when absent.
  virtual Result<std::optional<std::string>> load_value(const std::string& key) = 0;
  /// Durable when it returns. Any thread.
  virtual Status save_value(const std::string& key, const std::string& value) = 0;
  /// Durable when it returns; OK when there was none. Any thread.
  virtual Status remove_value(const std::string& key) = 0;
  /// Sets values, and removes those without one, all or none of them. They outlive the process when
  /// it returns, and a power cut once anything later is durable. Any thread.
  virtual Status save_values(const ValueChanges& changes) = 0;
  /// All values whose keys begin with `prefix`, by key.
  virtual Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) = 0;
};

}  // namespace eventhorn::store
