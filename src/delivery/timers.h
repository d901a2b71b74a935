// What a core's delivery does at a time to come: retries that are due, pauses that end, reads that
// are tried again.
#pragma once

#include "async/timer.h"

#include <functional>
#include <map>

namespace eventhorn::delivery {

/// Lives on the core's executor. run() is one of the engine's loops, and what it calls may call
/// at() again.
///
/// Invariant: while run() waits, the timer is set for the first of the wakes.
class Timers {
 public:
  Timers(asio::any_io_executor executor, const Clock& clock)
      : clock_(clock), timer_(std::move(executor), clock) {}

  /// Calls `what` once, at `when` or as soon after as the core gets to it; what is due at the same
  /// time in the order of the calls. Cannot be taken back: `what` looks whether it still applies.
  void at(SteadyTime when, std::function<void()> what);

  /// Until it is cancelled.
  Task<void> run();

  size_t size() const { return wakes_.size(); }

 private:
  const Clock& clock_;
  Timer timer_;
  std::multimap<SteadyTime, std::function<void()>> wakes_;
};

}  // namespace eventhorn::delivery
