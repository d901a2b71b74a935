// The coroutine type. A coroutine stays on the io_context where it was spawned.
#pragma once

#include "base/time.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace eventhorn {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<T>;

/// Lets the loop run what else is ready: long work on a core calls it now and then.
Task<void> yield_now();

}  // namespace eventhorn
