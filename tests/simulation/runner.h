// One run of a seed: a world with receivers, a machine and clients, and the model beside them.
//
//   life    clients work, and everything goes wrong that may, for so many steps
//   calm    nothing goes wrong any more, receivers are well, endpoints are resumed
//   end     everything that can be delivered has been, within kPatience: Model::check_end()
#pragma once

#include "simulation/clients.h"
#include "simulation/ingredients.h"

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace eventhorn::simulation {

struct RunOptions {
  uint64_t seed = 1;
  /// Of the life.
  uint64_t steps = 100'000;
  /// Ends the run after this step, without a verdict; 0: never.
  uint64_t until = 0;
  /// Gets the trace as it comes; null: nobody.
  std::FILE* print = nullptr;
  Ingredients ingredients;
  MakeDisk make_disk = make_plain_disk;
};

struct RunResult {
  /// What did not hold; nullopt when all did.
  std::optional<std::string> violation;
  uint64_t steps = 0;
  Micros time{};      // virtual
  uint64_t hash = 0;  // of the trace
  uint64_t events = 0;
  uint64_t settled = 0;
  uint64_t repeated = 0;
  uint64_t kills = 0;
  uint64_t restarts = 0;
};

/// `trace` is that of the run, with the options' `print`.
RunResult run(const RunOptions& options, Trace& trace);

}  // namespace eventhorn::simulation
