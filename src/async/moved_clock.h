// A clock that tests and simulations move by hand, with the timers over it.
#pragma once

#include "async/timer.h"

#include <algorithm>
#include <vector>

namespace eventhorn {

/// Not thread-safe: it is moved on the thread of its timers' executor, or while that does not run.
/// Outlives its timers.
class MovedClock final : public Clock {
 public:
  SystemTime now() const override { return clock_.now(); }

  SteadyTime steady_now() const override { return clock_.steady_now(); }

  BootTime boot_now() const override { return clock_.boot_now(); }

  /// Moves all times together; the waits whose time has come end when their executor runs next, in
  /// the order in which their timers were made.
  void advance(Micros by) {
    clock_.advance(by);
    const auto now = steady_now();
    for (auto* timer : timers_) {
      if (timer->when() <= now) timer->timer_.cancel();
    }
  }

  /// Moves wall time alone: the clock was set. Nothing waits for it.
  void jump_wall(Micros by) { clock_.jump_wall(by); }

  /// The machine sleeps: steady time stands, and so no wait ends.
  void suspend(Micros by) { clock_.suspend(by); }

  /// The machine is off, and boots again. Nothing that has timers lives meanwhile.
  void power_off(Micros by) { clock_.power_off(by); }

  /// All waits under way look at their time again, and go on waiting. So the waits of an executor
  /// that runs nothing any more come to it, and can be dropped there.
  void stir() {
    for (auto* timer : timers_) timer->timer_.cancel();
  }

  /// When the first of the waits under way ends; SteadyTime::max() when none does.
  SteadyTime next() const {
    auto first = SteadyTime::max();
    for (const auto* timer : timers_) {
      if (timer->is_waited_for()) first = std::min(first, timer->when());
    }
    return first;
  }

 private:
  friend class Timer;

  FakeClock clock_;
  mutable std::vector<Timer*> timers_;  // in the order in which they were made
};

}  // namespace eventhorn
