// Wakes a coroutine from other threads. Rings that nobody has waited for yet count as one, so a
// flood of them costs one post to the executor.
#pragma once

#include "async/task.h"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <memory>

namespace eventhorn {

/// Owned by a shared_ptr, which a ring that is under way also holds.
class Bell : public std::enable_shared_from_this<Bell> {
 public:
  /// `executor` must run on one thread.
  explicit Bell(asio::any_io_executor executor) : executor_(executor), timer_(executor) {}

  /// Any thread.
  void ring();

  /// Ends once the bell was rung since the last wait (true), or at `deadline` (false). On the
  /// executor, one waiter at a time.
  Task<bool> wait(Deadline deadline);

 private:
  asio::any_io_executor executor_;
  asio::steady_timer timer_;  // touched on the executor only
  std::atomic<bool> rung_{false};
};

}  // namespace eventhorn
