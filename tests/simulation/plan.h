// What kind of run a seed is: how fast clients are, how much goes wrong, how narrow the limits of
// the real code are. Each is drawn from a few values that differ by orders of magnitude, so that a
// few hundred seeds meet most combinations.
#pragma once

#include "simulation/clients.h"

#include <string>
#include <vector>

namespace eventhorn::simulation {

struct Plan {
  std::vector<std::string> urls;
  ProcessOptions process;
  MachineOptions machine;
  ClientOptions clients;
  Micros between_reads{};  // of clients that read, on average
  ModelOptions model;
};

/// What is left out changes nothing else of what is drawn.
Plan make_plan(Random& random, Ingredients ingredients);

}  // namespace eventhorn::simulation
