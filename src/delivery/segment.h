// A segment of a lane: a range of positions of one class, open at the end or not, and how far it is
// settled. A lane owns its segments; they live on its core. Pure state, no I/O.
//
//   after .. acked_through [ window ] read_through .. settled_ahead .. to
//   ---------------------- ---------- ------------------------------------>  positions of the log
//   all settled            read       not read (or no more)
//
// The window holds what is read, in the order of the log, from the first event that is not settled.
// An entry of it is
//   fresh      read, and nobody has begun to send it,
//   deferred   held by the lane until its turn comes (key_order.h), or because an attempt of it did
//              not count,
//   in flight  being sent,
//   settled    done: delivered, rejected, missed, waiting for a retry, or dropped. It stays in the
//              window until all entries before it are settled, too.
// settled_ahead are ranges of settled positions that are not in memory.
//
// A segment that is caught up is open and gets its events from commits. Any other one is behind and
// is filled by reads of the log. What leaves a window unsettled is read again.
//
// Invariants: after <= acked_through <= read_through, and <= to where that is given. The first
// entry is not settled. Positions in the window rise, and lie in (acked_through, read_through]; an
// empty window has acked_through == read_through. Ranges of settled_ahead are in order, disjoint,
// and lie beyond read_through. A segment that is caught up is open and has read what it was
// offered. The counts of entries by state are those of the window; `first_fresh_` is the first
// fresh one.
#pragma once

#include "store/store.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

namespace eventhorn::delivery {

using store::EventPtr;
using webhook::Class;
using webhook::Hook;

/// Entries a window may hold: the bound on the settled set of a stored segment.
inline constexpr size_t kMaxWindow = 8192;
/// Entries of a caught-up segment that may wait to be sent before it falls behind and reads the log
/// instead.
inline constexpr size_t kMaxLive = 1024;
/// A segment that is behind is read when it has fewer fresh entries than this.
inline constexpr size_t kReadBelow = 128;
/// Entries, and bytes of their events, that a segment may have deferred. Beyond it the oldest one
/// is sent though its turn has not come, because one busy message and recipient must not hold the
/// rest of its lane.
inline constexpr size_t kMaxDeferred = kMaxLive;
inline constexpr size_t kMaxDeferredBytes = 1 << 20;

/// An event in the window of a segment.
struct Entry {
  enum class State : uint8_t { kFresh, kDeferred, kInFlight, kSettled };

  Position position;
  Hook hook{};
  State state = State::kFresh;
  /// It has the turn of its key (key_order.h).
  bool has_turn = false;
  bool may_be_missed = false;  // its lane may have a row of it as missed: of a replay
  EventPtr event;              // null once settled

  /// Names its message and recipient; 0 when it has none. Not of a settled one.
  uint64_t order_key() const { return event->event.order_key; }
};

/// Positions that a lane has missed, in order. Beyond `known_through` any may be.
struct MissedRows {
  std::vector<Position> positions;
  std::optional<Position> known_through{};  // nullopt: all are known

  bool may_have(Position position) const {
    return (known_through && position > *known_through) ||
           std::binary_search(positions.begin(), positions.end(), position);
  }
};

class Segment {
 public:
  Segment(Class cls, Position after, std::optional<Position> to);
  explicit Segment(const store::SegmentRow& row);

  Class cls() const { return cls_; }

  bool open() const { return !to_; }

  bool caught_up() const { return caught_up_; }

  store::SegmentRow::Source source() const { return source_; }

  /// 0 for the lane's own.
  uint64_t replay() const { return replay_; }

  /// Nothing is left to do: the window is empty, and no read may bring an event.
  bool settled() const { return window_.empty() && (caught_up_ || read_to_end()); }

  /// Entries that may be started at once.
  size_t fresh() const { return fresh_; }

  /// Entries not in flight whose events are in memory.
  size_t held() const { return fresh_ + deferred_; }

  size_t deferred() const { return deferred_; }

  /// True while nobody outside holds an entry of it: it may be changed as a whole.
  bool idle() const { return in_flight_ == 0 && deferred_ == 0 && !reading; }

  /// True when a read of the log is due: fewer than `below` entries are fresh.
  bool wants_read(size_t below) const {
    return !reading && !paused && !caught_up_ && !read_to_end() && fresh_ < below && !full();
  }

  /// True when deferred entries are in the way of all others: no more may be deferred, or read.
  bool crowded() const {
    return !paused && deferred_ > 0 &&
           (deferred_ > kMaxDeferred || deferred_bytes_ > kMaxDeferredBytes ||
            (full() && fresh_ == 0));
  }

  Position after() const { return after_; }

  Position read_through() const { return read_through_; }

  /// True when a read that goes on from read_through() may bring the event at `position` to send.
  bool awaits(Position position) const;

  Position acked_through() const { return acked_through_; }

  std::optional<Position> to() const { return to_; }

  /// Takes an event handed over by a commit; every event of an open segment is offered. False when
  /// it is not taken: the segment is, or now is, behind.
  bool offer(const EventPtr& event, Hook hook);

  /// As offer() when there is no room: it is read from the log, like those that follow.
  void decline(Position position);

  /// Ends an open segment after `to`; every event of it up to there was offered or can be read.
  void close(Position to);

  /// Takes a slice of the log. One that ends at the end of what was asked for, with nothing
  /// declined behind it, makes an open segment caught up: the query must reach up to the last
  /// commit handed over.
  /// `missed` names those of a replay that may be in the lane's list of missed events.
  void fill(const store::LaneSlice& slice, const MissedRows& missed = {});

  /// The next fresh entry; null when there is none in memory, or the segment is paused.
  Entry* next();

  bool has_next() const { return fresh_ > 0 && !paused; }

  /// The last entry; null when there is none.
  Entry* last() { return window_.empty() ? nullptr : &window_.back(); }

  /// The oldest deferred entry that does not have its turn; null when there is none.
  Entry* first_deferred();

  /// A fresh entry waits for its turn.
  void defer(Entry& entry);
  /// A fresh (then it is next()'s) or deferred entry is being sent.
  void start(Entry& entry);
  /// The attempt of an entry in flight does not count: it becomes a deferred one.
  void give_back(Entry& entry);
  /// Any entry that is not settled is, now. The entry may be gone with it.
  void settle(Entry& entry);

  /// Settles the fresh entries that `unwanted` names: how many they are.
  size_t drop(const std::function<bool(const Entry&)>& unwanted);

  /// The last entry in flight: spill() lets those behind it go. kNoPosition when none is.
  Position last_in_flight() const;

  /// Entries behind `after`, not in flight, that have the turn of their key.
  std::vector<const Entry*> turns_behind(Position after) const;

  /// Lets go of the entries behind the last one in flight, deferred ones too: nobody may hold one
  /// of them. The segment is behind then.
  void spill();

  /// Takes over the rest of `next`, a later closed segment that is idle and spilled. False,
  /// changing nothing, when the settled set would grow beyond its bound, or they overlap.
  bool join(const Segment& next);

  /// Everything up to `to` is settled, whatever it was; only while idle.
  void settle_through(Position to);

  /// Nothing more is sent of it than what is in flight: what is deferred is settled, and nobody may
  /// hold it.
  void cancel();

  bool cancelled() const { return cancelled_; }

  store::SegmentRow row() const;

  /// Aborts when an invariant of the above does not hold. For tests: walks the window.
  void check_invariants() const;

  bool reading = false;
  /// A replay that its operator holds.
  bool paused = false;
  /// When it was last found too slow for what comes.
  SteadyTime overrun{};

 private:
  bool read_to_end() const { return to_ && read_through_ >= *to_; }

  bool full() const { return window_.size() >= kMaxWindow; }

  void push(const EventPtr& event, Hook hook);
  void count_out(const Entry& entry);
  void hold(Entry& entry);
  void end(Entry& entry);
  void find_first_fresh();
  void pop_settled();
  void forget_ahead();
  std::vector<store::PositionRange> settled_from(size_t index) const;

  Class cls_;
  store::SegmentRow::Source source_ = store::SegmentRow::Source::kLog;
  uint64_t replay_ = 0;
  Position after_;
  std::optional<Position> to_;
  Position acked_through_;
  Position read_through_;
  Position declined_;  // the last that was offered and not taken
  bool caught_up_ = false;
  bool cancelled_ = false;
  std::deque<Entry> window_;  // pointers to entries stay good: only the ends move
  size_t first_fresh_ = 0;    // index of the first fresh entry; the size of the window without one
  size_t fresh_ = 0;
  size_t deferred_ = 0;
  size_t deferred_bytes_ = 0;
  size_t in_flight_ = 0;
  std::vector<store::PositionRange> settled_ahead_;
};

/// True for one of a replay that is not done.
inline bool is_replaying(const Segment& segment) {
  return segment.replay() != 0 && !segment.settled();
}

}  // namespace eventhorn::delivery
