// Where work runs that may block: reads of the store, and long computations that must not hold up a
// core. A coroutine leaves its core by run_blocking() and comes back to it.
//
// Who needs a Pool gets it from outside. A test or a simulation gives one over its own executor,
// and so runs the work on its own thread and in its own order.
#pragma once

#include "async/task.h"
#include "base/check.h"

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace eventhorn {

class Pool {
 public:
  /// `threads` ≥ 1 threads of the machine. `name` has at most 15 characters: people see it in
  /// `top`.
  Pool(const char* name, size_t threads);
  /// No threads of its own: work runs where `executor` runs it.
  explicit Pool(asio::any_io_executor executor);
  /// Ends the threads after what they are doing; work that has not begun is dropped.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Ends when all work is done, and the threads with it: nothing runs afterwards. Idempotent. Work
  /// on an executor that was given is not waited for.
  void join();

  const asio::any_io_executor& executor() const { return executor_; }

 private:
  struct Threads;

  const std::unique_ptr<Threads> threads_;  // null when the executor was given
  const asio::any_io_executor executor_;
};

namespace detail {
/// Hops to `executor`, runs `fn(arg)`, and hops back. Not a template, so that callers stay light to
/// compile.
Task<void> run_on(asio::any_io_executor executor, void (*fn)(void*), void* arg);
}  // namespace detail

/// Runs `fn` on the pool and comes back on the caller's core. `fn` may capture by reference: the
/// caller waits.
template <class F>
Task<std::invoke_result_t<F>> run_blocking(Pool& pool, F fn) {
  using R = std::invoke_result_t<F>;

  struct Call {
    F fn;
    std::conditional_t<std::is_void_v<R>, int, std::optional<R>> result{};
  };

  Call call{std::move(fn)};
  co_await detail::run_on(
      pool.executor(),
      [](void* arg) {
        auto& c = *static_cast<Call*>(arg);
        if constexpr (std::is_void_v<R>) {
          c.fn();
        } else {
          c.result.emplace(c.fn());
        }
      },
      &call);
  if constexpr (!std::is_void_v<R>) {
    CHECK(call.result.has_value());
    co_return *std::move(call.result);
  }
}

}  // namespace eventhorn
