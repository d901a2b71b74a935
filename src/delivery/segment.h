// A segment of a lane: a range of positions of one class, open at the end or not, and how far it is
// settled. Pure state, no I/O.
//
// Its window holds the events that are read but not settled, in the order of the log; what is
// settled ahead of the first unsettled one stays in the window until the gap closes. A segment that
// is caught up gets its events straight from the commit; any other one is filled by reads of the
// log. What waits in a window may be spilled at any time: it is read again.
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

/// Slots a window may hold: the bound on the settled set of a stored segment.
inline constexpr size_t kMaxWindow = 8192;
/// Slots a caught-up segment may have waiting before it falls behind and reads the log instead.
inline constexpr size_t kMaxLive = 1024;
/// A segment that is behind is read when fewer slots than this wait.
inline constexpr size_t kReadBelow = 128;
/// Slots, and bytes of their events, that a segment may have deferred: beyond it the oldest one is
/// sent though its turn has not come. One busy message and recipient is bounded so, and never holds
/// the rest of its lane.
inline constexpr size_t kMaxDeferred = kMaxLive;
inline constexpr size_t kMaxDeferredBytes = 1 << 20;

struct Slot {
  /// A deferred slot waits for another one of its message and recipient, or was given back.
  enum class State : uint8_t { kWaiting, kDeferred, kInFlight, kSettled };

  Position position;
  Hook hook{};
  State state = State::kWaiting;
  /// It is, or will be, the one of its message and recipient that is under way (lane.h).
  bool has_turn = false;
  bool may_be_missed = false;  // its lane may have a row of it as missed: of a replay
  EventPtr event;              // null once settled
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

  /// Nothing is left to do: no slot waits, and no event may come by a read.
  bool settled() const { return window_.empty() && (caught_up_ || read_to_end()); }

  /// Slots that may be started at once.
  size_t waiting() const { return waiting_; }

  /// Slots not under way whose events are in memory.
  size_t held() const { return waiting_ + deferred_; }

  /// True while no slot of it is held by anyone outside: it may be changed as a whole.
  bool idle() const { return in_flight_ == 0 && deferred_ == 0 && !reading; }

  /// True when a read of the log is due: fewer than `below` slots wait.
  bool wants_read(size_t below) const {
    return !reading && !paused && !caught_up_ && !read_to_end() && waiting() < below && !full();
  }

  /// True when deferred slots are in the way of all others: no more may be deferred, or read.
  bool crowded() const {
    return !paused && deferred_ > 0 &&
           (deferred_ > kMaxDeferred || deferred_bytes_ > kMaxDeferredBytes ||
            (full() && waiting_ == 0));
  }

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

  /// The next slot that nobody has started; null when there is none in memory.
  Slot* next();

  bool has_next() const { return waiting_ > 0 && !paused; }

  /// The last slot; null when there is none.
  Slot* last() { return window_.empty() ? nullptr : &window_.back(); }

  /// The oldest deferred slot whose turn has not come; null when there is none.
  Slot* first_deferred();

  /// A waiting slot waits for its turn.
  void defer(Slot& slot);
  /// A waiting (then it is next()'s) or deferred slot is being sent.
  void start(Slot& slot);
  /// A slot in flight becomes a deferred one; the caller keeps it at hand.
  void put_back(Slot& slot);
  void settle(Slot& slot);

  /// Settles the waiting slots that `unwanted` names, deferred ones apart: how many they are.
  size_t drop_waiting(const std::function<bool(const Slot&)>& unwanted);

  /// The last slot in flight; slots behind it are let go by spill(). kNoPosition when none is.
  Position last_in_flight() const;

  /// Slots behind `after`, not in flight, that have the turn of their message and recipient.
  std::vector<const Slot*> turns_behind(Position after) const;

  /// Lets go of the slots behind the last one in flight, deferred ones too: nobody may hold one of
  /// them. The segment is behind then.
  void spill();

  /// Takes over the rest of `next`, a later closed segment that is idle and spilled. False,
  /// changing nothing, when the settled set would grow beyond its bound, or they overlap.
  bool absorb(const Segment& next);

  /// Everything up to `to` is settled, whatever it was; only while idle.
  void skip_to(Position to);

  /// Nothing more is sent of it than what is in flight.
  void cancel();

  bool cancelled() const { return cancelled_; }

  store::SegmentRow row() const;

  bool reading = false;
  /// A replay that its operator holds.
  bool paused = false;
  /// When it was last found too slow for what comes.
  SteadyTime overrun{};

 private:
  bool read_to_end() const { return to_ && read_through_ >= *to_; }

  bool full() const { return window_.size() >= kMaxWindow; }

  void push(const EventPtr& event, Hook hook);
  void leave(const Slot& slot);
  void end(Slot& slot);
  void skip_to_waiting();
  void pop_settled();
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
  std::deque<Slot> window_;   // pointers to slots stay good: only the ends move
  size_t first_waiting_ = 0;  // index of the first slot that waits
  size_t waiting_ = 0;
  size_t deferred_ = 0;
  size_t deferred_bytes_ = 0;
  size_t in_flight_ = 0;
  std::vector<store::PositionRange> settled_ahead_;  // beyond read_through_, in order, disjoint
};

/// True for one of a replay that is not done.
inline bool is_replaying(const Segment& segment) {
  return segment.replay() != 0 && !segment.settled();
}

}  // namespace eventhorn::delivery
