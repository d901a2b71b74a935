// Bridges callbacks to coroutines.
#pragma once

#include "async/task.h"

#include <functional>

namespace eventhorn {

/// Calls `start(resume)` and ends once `resume()` was called, from any thread, once; goes on on the
/// caller's executor. Cannot be cancelled: whoever holds `resume` must call it.
Task<void> suspend(std::function<void(std::function<void()> resume)> start);

}  // namespace eventhorn
