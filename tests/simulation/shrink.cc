#include "simulation/shrink.h"

#include "base/check.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace eventhorn::simulation {
namespace {

constexpr uint64_t kFewSteps = 100;

}  // namespace

RunOptions shrink(RunOptions run, const std::function<bool(const RunOptions&)>& fails) {
  for (size_t i = 0; i < kIngredientNames.size(); ++i) {
    auto less = run;
    less.ingredients = run.ingredients.without(Ingredient(i));
    if (fails(less)) run = less;
  }
  for (auto less = run; less.steps > kFewSteps;) {
    less.steps /= 2;
    if (!fails(less)) break;
    run = less;
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
