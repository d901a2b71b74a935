// Waits for a coroutine from a thread that runs no loop: the main thread's start and shutdown.
#pragma once

#include "async/task.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace eventhorn {

/// Runs `task` on `executor`, whose loop must be running on another thread, and returns its result.
template <class T>
T block_on(asio::any_io_executor executor, Task<T> task) {
  return asio::co_spawn(executor, std::move(task), asio::use_future).get();
}

}  // namespace eventhorn
