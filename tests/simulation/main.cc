// eventhorn_simulation --seed N [--steps M] [--until STEP] [--trace] [--runs R]
//
// Runs one seed, or R of them from N on. Exit code 1 when something did not hold: it prints the
// seed, the step and the last hundred decisions. The same seed gives the same run.
#include "base/log.h"
#include "simulation/runner.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using eventhorn::simulation::RunOptions;
using eventhorn::simulation::Trace;

// Of the run under way, for a CHECK that fails.
const Trace* current_trace = nullptr;
uint64_t current_seed = 0;

void tell_failure(const char* what) {
  std::fprintf(stderr, "seed %llu failed at step %llu: %s\nthe last decisions:\n",
               static_cast<unsigned long long>(current_seed),
               static_cast<unsigned long long>(current_trace->step()), what);
  current_trace->print_last(stderr);
}

void on_abort(int) {
  if (current_trace != nullptr) tell_failure("aborted");
}

int usage() {
  std::fprintf(
      stderr,
      "usage: eventhorn_simulation --seed N [--steps M] [--until STEP] [--trace] [--runs R] "
      "[--no-faults]\n");
  return 2;
}

bool run_seed(const RunOptions& options) {
  Trace trace(options.print);
  current_trace = &trace;
  current_seed = options.seed;
  const auto began = std::chrono::steady_clock::now();
  const auto result = eventhorn::simulation::run(options, trace);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const double virtual_seconds = std::chrono::duration<double>(result.time).count();
  std::printf(
      "seed %llu: %llu steps, %.0f virtual seconds in %.2f s, %llu events, %llu settled, %llu "
      "repeated, %llu kills, %llu restarts, trace %016llx\n",
      static_cast<unsigned long long>(options.seed), static_cast<unsigned long long>(result.steps),
      virtual_seconds, took.count(), static_cast<unsigned long long>(result.events),
      static_cast<unsigned long long>(result.settled),
      static_cast<unsigned long long>(result.repeated),
      static_cast<unsigned long long>(result.kills),
      static_cast<unsigned long long>(result.restarts),
      static_cast<unsigned long long>(result.hash));
  std::fflush(stdout);
  if (result.violation) tell_failure(result.violation->c_str());
  current_trace = nullptr;
  return !result.violation;
}

}  // namespace

int main(int argc, char** argv) {
  RunOptions options;
  uint64_t runs = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--trace") {
      options.print = stdout;
      continue;
    }
    if (name == "--no-faults") {
      options.faults = false;
      continue;
    }
    if (i + 1 == argc) return usage();
    const uint64_t value = std::strtoull(argv[++i], nullptr, 10);
    if (name == "--seed") {
      options.seed = value;
    } else if (name == "--steps") {
      options.steps = value;
    } else if (name == "--until") {
      options.until = value;
    } else if (name == "--runs") {
      runs = value;
    } else {
      return usage();
    }
  }
  std::signal(SIGABRT, on_abort);
  eventhorn::set_log_level(options.print != nullptr ? eventhorn::LogLevel::kInfo
                                                    : eventhorn::LogLevel::kError);
  bool good = true;
  for (uint64_t i = 0; i < runs; ++i, ++options.seed) good = run_seed(options) && good;
  return good ? 0 : 1;
}
