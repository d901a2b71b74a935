#include "simulation/runner.h"

#include "base/metrics.h"
#include "simulation/plan.h"
#include "simulation/readers.h"

#include <fmt/format.h>

#include <utility>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;

// From the calm to the end, in virtual time: the last retry of Mailgun's schedule comes after four
// hours, with its jitter.
constexpr Micros kPatience = std::chrono::hours(12);
constexpr auto kLongRetention = std::chrono::days(100);  // nothing gets so old
constexpr Micros kBetweenLooks = 10s;                    // at what is still to come
constexpr Micros kLastAnswers = 1min;                    // an attempt has ended by then
constexpr uint64_t kStepsPerCheck = 8;                   // of the invariants of all parts
constexpr uint64_t kRest =
    10;  // clients rest for one part of the life in so many, in every other run

constexpr size_t kMoreBytes = 8 << 20;

class Run {
 public:
  Run(const RunOptions& options, Trace& trace)
      : options_(options),
        world_(options.seed, trace),
        random_(world_.fork_random()),
        plan_(make_plan(random_, options.ingredients)),
        model_(world_, plan_.model),
        receivers_(world_, plan_.urls, options.ingredients.has(Ingredient::kTempers)),
        machine_(world_, receivers_, model_, options.make_disk, plan_.process, plan_.machine),
        clients_(world_, machine_, receivers_, model_, plan_.clients),
        readers_(world_, machine_, model_, plan_.between_reads, options.ingredients),
        rest_(random_.once_in(2)) {
    world_.set_stalls(options.ingredients.has(Ingredient::kStalls));
  }

  // What clients wait for is answered, or not, so that nothing of the run is left.
  ~Run() {
    receivers_.calm();
    clients_.calm();
    readers_.calm();
    machine_.halt();
    while (world_.step()) {
    }
  }

  RunResult go() {
    const uint64_t rest = rest_ ? options_.steps / kRest : 0;
    while (world_.steps() + rest < options_.steps && step()) {
    }
    clients_.calm();
    while (world_.steps() < options_.steps && step()) {
    }
    if (!ended_) calm();
    world_.trace().end();
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
    check_memory();
    if (model_.violation()) return end(*model_.violation());
    if (bugs_.value() > bugs_before_) return end("an exception escaped a task");
    return true;
  }

  // What lanes hold of the log is bounded: by what they may hold, and by what reads under way
  // bring, and the commits that a thread which stalls has not taken yet.
  void check_memory() {
    const size_t held = store::live_event_bytes();
    if (held > 2 * plan_.model.max_live_bytes + kMoreBytes)
      model_.judge(fmt::format("{} bytes of events in memory", held));
  }

  bool end(std::string violation) {
    ended_ = true;
    violation_ = std::move(violation);
    return false;
  }

  void calm() {
    world_.trace().add("calm");
    world_.set_stalls(false);
    receivers_.calm();
    machine_.calm();
    while (machine_.process() == nullptr) {
      if (!step()) return;
    }
    // Answers that were decided before may still end an endpoint.
    if (!pass(kLastAnswers)) return;
    clients_.resume_all();
    model_.on_calm();
    const Micros patience = world_.time() + kPatience;
    while (world_.time() < patience && !model_.done(machine_.process()->store())) {
      if (!pass(kBetweenLooks)) return;
    }
    readers_.calm();
    readers_.end_walks();
    // Retention has had its turns, and left nothing that is too old.
    const auto retention = plan_.process.retention.events;
    if (retention < kLongRetention && !pass(2 * control::Retention::interval(retention) + 1min))
      return;
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
  const Plan plan_;
  Model model_;
  Receivers receivers_;
  Machine machine_;
  Clients clients_;
  Readers readers_;
  const bool rest_;
  bool ended_ = false;
  std::optional<std::string> violation_;
};

}  // namespace

RunResult run(const RunOptions& options, Trace& trace) {
  return Run(options, trace).go();
}

}  // namespace eventhorn::simulation
