// Runs a coroutine on another core and comes back: how cores ask each other.
#pragma once

#include "async/task.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace eventhorn {

/// Runs `task` on `executor` and returns its result on the caller's. The task must end in its own
/// time: cancelling the caller does not end it sooner.
template <class T>
Task<T> run_on(asio::any_io_executor executor, Task<T> task) {
  // No cancellation slot, as for run_blocking(): Asio 1.81 would emit the signal on the other core,
  // where the task may have ended meanwhile (use after free).
  return asio::co_spawn(
      std::move(executor), std::move(task),
      asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

}  // namespace eventhorn
