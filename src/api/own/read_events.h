// Events by their positions, for lists that show something of each.
#pragma once

#include "api/services.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace eventhorn::api {

/// Events that are read at once: each may have a megabyte.
inline constexpr size_t kEventsPerStep = 16;

/// Calls `use` for each position with its index and its event, null when that is gone or cannot be
/// read: on a reader's thread, a few at a time, since events may be large.
Task<Status> with_events(Services& services, const std::vector<Position>& positions,
                         const std::function<void(size_t, const store::EventPtr&)>& use);

}  // namespace eventhorn::api
