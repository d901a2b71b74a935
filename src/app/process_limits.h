// What the process may have of the system, looked at before it takes anything else.
#pragma once

#include "base/result.h"
#include "config/config.h"

namespace eventhorn::app {

/// What the process holds and makes is for its user alone: keys and mail addresses are in both.
void keep_secrets();

/// Takes as many file descriptors as the process may have: many systems start processes with few,
/// for the sake of select(2), which nothing here uses. Warns when they may not do.
void raise_descriptor_limit(const config::Config& config);

/// Fails unless `wanted` more threads can run at once. All threads start with the server, and half
/// of them are worth nothing.
Status check_threads(size_t wanted);

/// From now on the process ends, with a line on stderr and status 1, when memory cannot be had. It
/// is the same as kill -9, which the store is made for; what would go on without the memory is not.
void end_when_out_of_memory();

}  // namespace eventhorn::app
