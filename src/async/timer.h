// Waiting for a time of the clock given. With a SystemClock a timer sleeps until then; with a
// MovedClock (moved_clock.h) it waits until somebody has moved the clock so far, so that a test or
// a simulation owns all time.
#pragma once

#include "async/task.h"

#include <boost/asio/steady_timer.hpp>

namespace eventhorn {

class MovedClock;

/// Lives on one executor that runs on one thread; every member is called there, or before it runs.
/// At most one coroutine waits at a time, and the timer outlives its wait.
class Timer {
 public:
  /// `clock` outlives the timer.
  explicit Timer(asio::any_io_executor executor, const Clock& clock,
                 SteadyTime when = SteadyTime::max());
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// When wait() ends, one that is under way too. SteadyTime::max(): never.
  void set(SteadyTime when);

  SteadyTime when() const { return when_; }

  /// Ends at the time that is set (true), or for a cancel() since the last wait (false). Throws
  /// operation_aborted when the coroutine is cancelled, as Asio does.
  Task<bool> wait();

  /// Ends the wait that is under way, or else the next one.
  void cancel();

 private:
  friend class MovedClock;

  bool is_waited_for() const { return armed_ != SteadyTime::min(); }

  const Clock& clock_;
  const MovedClock* const moved_;  // null when the clock goes by itself
  asio::steady_timer timer_;
  SteadyTime when_;
  SteadyTime armed_ = SteadyTime::min();  // when timer_ ends; the minimum while nobody waits
  bool cancelled_ = false;
};

/// Ends at `when`, or earlier when the coroutine is cancelled (then it throws operation_aborted, as
/// Asio does). `clock` outlives the wait.
Task<void> sleep_until(const Clock& clock, SteadyTime when);

}  // namespace eventhorn
