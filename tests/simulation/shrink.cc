#include "simulation/shrink.h"

#include "base/check.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace eventhorn::simulation {
namespace {

constexpr uint64_t kFewSteps = 100;

// Whether there was something to leave out.
bool leave_out(RunOptions& run, const std::function<bool(const RunOptions&)>& fails) {
  bool any = false;
  for (size_t i = 0; i < kIngredientNames.size(); ++i) {
    if (!run.ingredients.has(Ingredient(i))) continue;
    auto less = run;
    less.ingredients = run.ingredients.without(Ingredient(i));
    if (!fails(less)) continue;
    run = less;
    any = true;
  }
  return any;
}

}  // namespace

// What one try needs another one may not: each is made again until none gets any further.
RunOptions shrink(RunOptions run, const std::function<bool(const RunOptions&)>& fails) {
  for (bool more = true; more;) {
    more = leave_out(run, fails);
    for (auto less = run; less.steps > kFewSteps;) {
      less.steps /= 2;
      if (!fails(less)) break;
      run = less;
      more = true;
    }
  }
  return run;
}

bool fails_in_child(const RunOptions& run) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(2);
    Trace trace;
    ::_exit(simulation::run(run, trace).violation ? 1 : 0);
  }
  int status = 0;
  CHECK(::waitpid(child, &status, 0) == child);
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

}  // namespace eventhorn::simulation
