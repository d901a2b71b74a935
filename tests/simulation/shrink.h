// Makes a run that fails smaller: leaves out what it fails without.
#pragma once

#include "simulation/runner.h"

#include <functional>

namespace eventhorn::simulation {

/// `run` fails. The same with as few ingredients and steps as it fails with, by `fails`: each
/// ingredient is tried once, then half of the steps, as long as that still fails.
RunOptions shrink(RunOptions run, const std::function<bool(const RunOptions&)>& fails);

/// Whether the run fails, in a process of its own, which a CHECK may end.
bool fails_in_child(const RunOptions& run);

}  // namespace eventhorn::simulation
