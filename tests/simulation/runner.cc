#include "simulation/runner.h"

#include "base/metrics.h"

#include <fmt/format.h>

#include <vector>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;

// From the calm to the end, in virtual time: the last retry of Mailgun's schedule comes after four
// hours, with its jitter.
constexpr Micros kPatience = std::chrono::hours(12);
constexpr Micros kBetweenLooks = 10s;    // at what is still to come
constexpr uint64_t kStepsPerCheck = 64;  // of the invariants of all parts

ProcessOptions process_options(Random& random) {
  ProcessOptions out;
  static const std::vector<size_t> in_flight = {4, 32, 1024};
  static const std::vector<size_t> unsaved = {8, 256};
  out.engine.max_in_flight = random.pick(in_flight);
  out.engine.max_per_host = out.engine.max_in_flight;
  out.engine.max_unsaved = random.pick(unsaved);
  out.writers.min_free_bytes = 0;
  return out;
}

ModelOptions model_options(const ProcessOptions& options) {
  constexpr size_t kMaxCores = 4;
  ModelOptions out;
  out.max_repeats = kMaxCores * options.engine.max_in_flight + options.engine.max_unsaved;
  // Its turn of the saving thread may come late.
  out.durable_after = options.writers.durable_after + Micros(1s);
  return out;
}

ClientOptions client_options(Random& random) {
  static const std::vector<Micros> paces = {20ms, 1s, 1min, 20min};
  ClientOptions out;
  out.domains = random.between(1, 4);
  out.pace = random.pick(paces);
  out.max_burst = random.between(1, 60);
  return out;
}

std::vector<std::string> some_urls(Random& random) {
  std::vector<std::string> out;
  for (uint64_t i = 0, n = random.between(1, 8); i < n; ++i)
    out.push_back(fmt::format("http://host{}.test/{}", i / 2, i));
  return out;
}

class Run {
 public:
  Run(const RunOptions& options, Trace& trace)
      : options_(options),
        world_(options.seed, trace),
        random_(world_.fork_random()),
        process_options_(process_options(random_)),
        model_(world_, model_options(process_options_)),
        receivers_(world_, some_urls(random_), options.faults),
        machine_(world_, receivers_, model_, process_options_, options.faults),
        clients_(world_, machine_, receivers_, model_, client_options(random_)) {}

  // What clients wait for is answered, or not, so that nothing of the run is left.
  ~Run() {
    receivers_.calm();
    clients_.calm();
    machine_.halt();
    while (world_.step()) {
    }
  }

  RunResult go() {
    while (world_.steps() < options_.steps && step()) {
    }
    if (!ended_) calm();
    RunResult out;
    out.violation = violation_;
    out.steps = world_.steps();
    out.time = world_.time();
    out.hash = world_.trace().hash();
    out.events = model_.events();
    out.settled = model_.settled();
    out.repeated = model_.repeated();
    out.kills = machine_.kills();
    out.restarts = machine_.restarts();
    return out;
  }

 private:
  /// False when the run has ended.
  bool step() {
    if (options_.until != 0 && world_.steps() >= options_.until) ended_ = true;
    if (ended_) return false;
    if (!world_.step()) return end("nothing is left that could ever happen");
    machine_.look();
    if (world_.steps() % kStepsPerCheck == 0) machine_.check_invariants();
    if (model_.violation()) return end(*model_.violation());
    if (bugs_.value() > bugs_before_) return end("an exception escaped a task");
    return true;
  }

  bool end(std::string violation) {
    ended_ = true;
    violation_ = std::move(violation);
    return false;
  }

  void calm() {
    world_.trace().add("calm");
    receivers_.calm();
    clients_.calm();
    machine_.calm();
    while (machine_.process() == nullptr) {
      if (!step()) return;
    }
    clients_.resume_all();
    const Micros patience = world_.time() + kPatience;
    while (world_.time() < patience && !model_.done(machine_.process()->store())) {
      if (!pass(kBetweenLooks)) return;
    }
    model_.check_end(machine_.process()->store());
    if (model_.violation()) end(*model_.violation());
  }

  /// False when the run has ended.
  bool pass(Micros time) {
    const Micros until = world_.time() + time;
    while (world_.time() < until) {
      if (!step()) return false;
    }
    return machine_.process() != nullptr || end("the process ended in the calm");
  }

  const RunOptions options_;
  metrics::Counter bugs_ = metrics::counter(
      "eventhorn_bugs_total", "Exceptions that escaped a background task; should stay 0");
  const double bugs_before_ = bugs_.value();
  World world_;
  Random random_;
  const ProcessOptions process_options_;
  Model model_;
  Receivers receivers_;
  Machine machine_;
  Clients clients_;
  bool ended_ = false;
  std::optional<std::string> violation_;
};

}  // namespace

RunResult run(const RunOptions& options, Trace& trace) {
  return Run(options, trace).go();
}

}  // namespace eventhorn::simulation
