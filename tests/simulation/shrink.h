// Makes a run that fails smaller: leaves out what it fails without.
#pragma once

#include "simulation/runner.h"

#include <functional>

namespace eventhorn::simulation {

/// `run` fails. The same with as few ingredients and steps as it fails with, by `fails`: without
/// each ingredient, then with half of the steps, and all of that again until nothing more can be
/// left out.
RunOptions shrink(RunOptions run, const std::function<bool(const RunOptions&)>& fails);

/// Whether the run fails, in a process of its own, which a CHECK may end.
bool fails_in_child(const RunOptions& run);

}  // namespace eventhorn::simulation
