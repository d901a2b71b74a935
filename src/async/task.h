// The coroutine type, and waiting with a deadline. A coroutine stays on the io_context where it was
// spawned.
#pragma once

#include "base/check.h"
#include "base/time.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace eventhorn {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<T>;

/// Ends at `deadline`, or earlier when the coroutine is cancelled (then it throws
/// operation_aborted, as Asio does).
Task<void> sleep_until(Deadline deadline);

/// Lets the loop run what else is ready: long work on a core calls it now and then.
Task<void> yield_now();

namespace detail {
/// Hops to `executor`, runs `fn(arg)`, and hops back. Not a template, so that callers stay light to
/// compile.
Task<void> run_on(asio::any_io_executor executor, void (*fn)(void*), void* arg);
}  // namespace detail

/// Runs `fn` on the pool's threads and comes back on the caller's. `fn` may capture by reference:
/// the caller waits.
template <class F>
Task<std::invoke_result_t<F>> run_blocking(asio::thread_pool& pool, F fn) {
  using R = std::invoke_result_t<F>;

  struct Call {
    F fn;
    std::conditional_t<std::is_void_v<R>, int, std::optional<R>> result{};
  };

  Call call{std::move(fn)};
  co_await detail::run_on(
      pool.get_executor(),
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
