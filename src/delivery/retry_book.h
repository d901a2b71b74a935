// The retries of all lanes of a core: how many wait and who may have more, when each is due, and
// the rows that say so. The events themselves stand in their lanes (retries.h).
#pragma once

#include "crypto/random.h"
#include "delivery/endpoint.h"
#include "delivery/lane.h"
#include "delivery/saver.h"
#include "delivery/timers.h"
#include "webhook/retry_schedule.h"

#include <cstddef>
#include <utility>
#include <vector>

namespace eventhorn::delivery {

struct RetryLimits {
  /// Events of one lane that wait; beyond it the lane sends nothing new.
  size_t per_lane = 10'000;
  /// The same for the core: beyond it each lane keeps to its share, or to a few.
  size_t per_core = 100'000;
};

/// Owned by the engine; on the core's executor.
///
/// Invariants:
/// - size() is the sum over the lanes, and the `waiting` of an endpoint the sum over its lanes.
/// - An event that waits has a row in the store, or in the saver's changes; one that was taken out
///   of the book has none, or one that says it is missed.
class RetryBook {
 public:
  /// Who sends.
  class Listener {
   public:
    virtual ~Listener() = default;
    /// A retry of the lane may be due.
    virtual void on_due(const LanePtr& lane) = 0;
  };

  /// All outlive the book.
  RetryBook(RetryLimits limits, const Clock& clock, Timers& timers, Saver& saver,
            crypto::RandomPool& random, Listener& listener);

  /// What the store has of an event that waits; due at `due`.
  void load(const LanePtr& lane, Position position, const Waiting& waiting, SteadyTime due);

  /// The event waits, in place of what was known of it. at() says when it is due.
  void wait(const LanePtr& lane, Position position, const Waiting& waiting);

  /// When an event that waits is due; nothing when it does not wait.
  void at(SteadyTime when, const LanePtr& lane, Position position);

  /// The event is done with, whether it waits or not.
  void settle(Lane& lane, Position position);

  /// The event is given up: `last` is what is listed of it.
  void miss(Lane& lane, Position position, const Waiting& last);

  /// The endpoint of the lane is back. What waits, waits no longer than some milliseconds each and
  /// `most` in all, spread by chance. `tried`: a failed probe counts as an attempt of its event,
  /// since another event got through, unless that would have been its last by the schedule.
  void bring_forward(const LanePtr& lane, std::chrono::milliseconds most,
                     const webhook::RetrySchedule& schedule, bool tried);

  /// The lane is no more: what waits of it counts no longer.
  void forget(const Lane& lane);

  /// True when the lane may send new events, whose failures would wait. While too many of the core
  /// wait in all, those lanes are held that have more than their fair share.
  bool allows(const Lane& lane) const;

  /// True when lanes may have been held because of others since the last call: look which of them
  /// may go on.
  bool take_crowded() { return std::exchange(crowded_, size_ >= limits_.per_core); }

  size_t size() const { return size_; }

  /// `lanes`: all whose retries are in the book.
  void check_invariants(const std::vector<LanePtr>& lanes) const;

 private:
  void put(const LanePtr& lane, Position position, const Waiting& waiting);
  void end(Lane& lane, Position position);

  const RetryLimits limits_;
  const Clock& clock_;
  Timers& timers_;
  Saver& saver_;
  crypto::RandomPool& random_;
  Listener& listener_;
  size_t size_ = 0;   // events that wait,
  size_t lanes_ = 0;  // and lanes that have some
  bool crowded_ = false;
};

}  // namespace eventhorn::delivery
