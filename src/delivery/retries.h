// The events of a lane that failed and wait for their next attempt. A lane owns one; it lives on
// the lane's core. Pure state: times come from outside, and the engine's timers call due().
//
//   wait() --> waiting --due(), time has come--> due --take_due()--> in flight --settle()-->
//   waiting
//                 |                                                     ^  |
//                 '------------------ take_oldest(), a probe -----------'  '--give_back()--> due
//
// end() forgets an event in any of these states: it got through, was missed, or is not wanted.
//
// The list of what is due may name events that are no longer so, because a retry that is put off
// stays in it: the time in the table decides. So an event may stand in it twice, and is taken once.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "webhook/hook.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>

namespace eventhorn::delivery {

/// An event that failed and waits for its next attempt.
struct Waiting {
  uint16_t attempts = 0;
  SystemTime last_attempt;
  Micros delay{};
  int last_status = 0;
  webhook::Hook hook{};
  SteadyTime due{};
  uint64_t tried = 0;  // set by wait(): the order of the last attempts
  bool in_flight = false;
  /// A probe of it failed, which counts as an attempt once another event has got through.
  bool probed = false;
  uint8_t failed_reads = 0;  // that found its event damaged
  SteadyTime read_due{};     // no probe takes it before, after such a read
};

class Retries {
 public:
  using Table = std::map<Position, Waiting>;

  /// By position; at most delivery.max_exceptions, which the engine sees to.
  const Table& all() const { return waiting_; }

  Table& all() { return waiting_; }

  bool empty() const { return waiting_.empty(); }

  size_t size() const { return waiting_.size(); }

  /// Null when the event does not wait.
  Waiting* find(Position position);

  /// After a failed attempt, or to begin with: the event waits, and is not in flight. In place of
  /// what was known of it.
  void wait(Position position, const Waiting& waiting);

  void end(Position position) { waiting_.erase(position); }

  /// The time of a retry may have come: it is due, unless it was put off beyond `now`.
  void due(Position position, SteadyTime now);

  /// No retry is due, until due() says so again.
  void forget_due() { due_.clear(); }

  /// False when take_due() has nothing. True promises nothing.
  bool may_have_due() const { return !due_.empty(); }

  /// The retry that has been due for longest, in flight from now on; null when there is none.
  Table::value_type* take_due(SteadyTime now);

  /// The waiting event that was tried longest ago, in flight from now on; null when there is none,
  /// those apart that a failed read puts off beyond `now`. Walks all.
  Table::value_type* take_oldest(SteadyTime now);

  /// An attempt is over. Nothing when the event does not wait any more.
  void settle(Position position);

  /// An attempt does not count: the retry is due at once. Nothing when the event does not wait any
  /// more.
  void give_back(Position position);

 private:
  Table waiting_;
  std::deque<Position> due_;
  uint64_t tried_ = 0;
};

}  // namespace eventhorn::delivery
