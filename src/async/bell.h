// Wakes a coroutine from other threads. Rings that nobody has waited for yet count as one, so a
// flood of them costs one post to the executor.
#pragma once

#include "async/timer.h"

#include <atomic>
#include <memory>

namespace eventhorn {

/// Owned by a shared_ptr, which a ring that is under way also holds.
class Bell : public std::enable_shared_from_this<Bell> {
 public:
  /// `executor` must run on one thread. `clock`, which deadlines go by, outlives the bell.
  Bell(asio::any_io_executor executor, const Clock& clock)
      : executor_(executor), clock_(clock), timer_(executor, clock) {}

  /// Any thread.
  void ring();

  /// Ends once the bell was rung since the last wait (true), or at `deadline` (false). On the
  /// executor, one waiter at a time.
  Task<bool> wait(Deadline deadline);

 private:
  const asio::any_io_executor executor_;
  const Clock& clock_;
  Timer timer_;  // touched on the executor only
  std::atomic<bool> rung_{false};
};

}  // namespace eventhorn
