// A replay of events by their ids. Nothing is kept of it, because the events are at once among
// those that wait.
#pragma once

#include "api/own/replay_request.h"
#include "api/services.h"
#include "http/reply.h"

namespace eventhorn::api {

/// Sends `asked.events`, unless it is a dry run, and answers how much that is. kNotFound when one
/// of them is not there, or no webhook takes any; then nothing is sent.
Task<http::Reply> replay_events(Services& services, const ReplayRequest& asked);

}  // namespace eventhorn::api
