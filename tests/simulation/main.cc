// The command line of the simulation: runs seeds, and tells what did not hold.
#include "base/log.h"
#include "simulation/rocks_disk.h"
#include "simulation/runner.h"
#include "simulation/shrink.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using eventhorn::Micros;
using eventhorn::simulation::RunOptions;
using eventhorn::simulation::RunResult;
using eventhorn::simulation::Trace;

constexpr const char* kUsage =
    R"(usage: eventhorn_simulation [--seed N] [--runs R | --minutes M] [options]

Runs the real writers and engines in a simulated world in which everything goes wrong that may. One seed is one run: the same
seed gives the same run, step for step. Exit code 1 when something did not hold: the seed, the step and the last hundred
decisions are printed. 2 for a wrong command line.

  --seed N       the first seed (1)
  --runs R       so many seeds, one after the other (1)
  --minutes M    as many seeds as end within M minutes
  --kept FILE    before them the seeds of a file: the first word of each line that is not empty and does not begin with #
  --steps S      of each run, before it comes to rest (100000)
  --until STEP   ends each run after that step, without a verdict
  --trace        prints every decision
  --without WHAT leaves it out; may be repeated: stops, kills, power-cuts, disk, clocks, tempers, stalls,
                 edits, pauses, removals, replays, reads
  --shrink       tells what the seed takes to fail, in place of running it once
  --first        ends with the first seed that fails
  --engine NAME  of the store: memory, or rocks, the embedded one, which is slower (memory)

examples:
  eventhorn_simulation --minutes 10
  eventhorn_simulation --seed 4711 --shrink
  eventhorn_simulation --seed 4711 --until 20000 --trace
)";

// Of the run under way, for a CHECK that fails.
const Trace* current_trace = nullptr;
uint64_t current_seed = 0;

void tell_failure(std::string_view what) {
  fmt::print(stderr, "seed {} failed at step {}: {}\nthe last decisions:\n", current_seed,
             current_trace->step(), what);
  current_trace->print_last(stderr);
}

void on_abort(int) {
  if (current_trace != nullptr) tell_failure("aborted");
}

struct CommandLine {
  RunOptions run;
  uint64_t runs = 1;
  std::optional<std::chrono::minutes> time;
  std::string kept;
  bool first = false;
  bool shrink = false;
};

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(out)
                                                                  : std::nullopt;
}

/// False when there is no such option, or it has no value.
bool take(CommandLine& line, std::string_view name, const char* value) {
  if (name == "--kept" && value != nullptr) {
    line.kept = value;
    return true;
  }
  if (name == "--engine" && value != nullptr) {
    const std::string_view engine = value;
    if (engine == "rocks") line.run.make_disk = eventhorn::simulation::make_rocks_disk;
    return engine == "rocks" || engine == "memory";
  }
  if (name == "--without" && value != nullptr) {
    const auto ingredient = eventhorn::simulation::parse_ingredient(value);
    if (ingredient) line.run.ingredients = line.run.ingredients.without(*ingredient);
    return ingredient.has_value();
  }
  const auto number = value == nullptr ? std::nullopt : parse_number(value);
  if (!number) return false;
  if (name == "--seed") {
    line.run.seed = *number;
  } else if (name == "--runs") {
    line.runs = *number;
  } else if (name == "--minutes") {
    line.time = std::chrono::minutes(*number);
  } else if (name == "--steps") {
    line.run.steps = *number;
  } else if (name == "--until") {
    line.run.until = *number;
  } else {
    return false;
  }
  return true;
}

std::optional<CommandLine> parse(int argc, char** argv) {
  CommandLine out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace") {
      out.run.print = stdout;
    } else if (name == "--shrink") {
      out.shrink = true;
    } else if (name == "--first") {
      out.first = true;
    } else {
      if (!take(out, name, i + 1 < argc ? argv[i + 1] : nullptr)) return std::nullopt;
      ++i;
    }
  }
  return out;
}

std::optional<std::vector<uint64_t>> read_kept(const std::string& file) {
  std::ifstream in(file);
  if (!in) return std::nullopt;
  std::vector<uint64_t> out;
  for (std::string line; std::getline(in, line);) {
    const auto word = line.substr(0, line.find_first_of(" \t"));
    if (word.empty() || word.front() == '#') continue;
    const auto seed = parse_number(word);
    if (!seed) return std::nullopt;
    out.push_back(*seed);
  }
  return out;
}

/// The exit code. Each try is in a child, because a CHECK may end it.
int tell_shrunk(RunOptions run) {
  using namespace eventhorn::simulation;
  run.print = nullptr;
  if (!fails_in_child(run)) {
    fmt::print("seed {} does not fail\n", run.seed);
    return 0;
  }
  const auto small = shrink(run, fails_in_child);
  fmt::print("it takes no more than: --seed {} --steps {}", small.seed, small.steps);
  for (size_t i = 0; i < kIngredientNames.size(); ++i) {
    if (!small.ingredients.has(Ingredient(i))) fmt::print(" --without {}", kIngredientNames[i]);
  }
  fmt::print("\n");
  return 1;
}

class Session {
 public:
  explicit Session(RunOptions options) : options_(options) {}

  bool run(uint64_t seed) {
    options_.seed = seed;
    Trace trace(options_.print);
    current_trace = &trace;
    current_seed = seed;
    const auto result = eventhorn::simulation::run(options_, trace);
    if (result.violation) tell_failure(*result.violation);
    current_trace = nullptr;
    last_ = result;
    add(result);
    return !result.violation;
  }

  void print() const {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
    const double days = std::chrono::duration<double, std::ratio<86400>>(all_.time).count();
    fmt::print(
        "{} seeds, {} failed; {} steps, {:.2f} virtual days, {} events, {} settled, {} repeated, "
        "{} kills, {} "
        "restarts in {:.1f} s",
        seeds_, failed_, all_.steps, days, all_.events, all_.settled, all_.repeated, all_.kills,
        all_.restarts, took.count());
    if (seeds_ == 1) fmt::print("; trace {:016x}", last_.hash);
    fmt::print("\n");
  }

  uint64_t failed() const { return failed_; }

  auto began() const { return began_; }

 private:
  void add(const RunResult& result) {
    ++seeds_;
    if (result.violation) ++failed_;
    all_.steps += result.steps;
    all_.time += result.time;
    all_.events += result.events;
    all_.settled += result.settled;
    all_.repeated += result.repeated;
    all_.kills += result.kills;
    all_.restarts += result.restarts;
  }

  RunOptions options_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  RunResult all_;
  RunResult last_;
  uint64_t seeds_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    fmt::print("{}", kUsage);
    return 0;
  }
  const auto line = parse(argc, argv);
  if (!line) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  std::vector<uint64_t> kept;
  if (!line->kept.empty()) {
    auto read = read_kept(line->kept);
    if (!read) {
      fmt::print(stderr, "eventhorn_simulation: {} is no list of seeds\n", line->kept);
      return 2;
    }
    kept = *std::move(read);
  }
  std::signal(SIGABRT, on_abort);
  eventhorn::set_log_level(line->run.print != nullptr ? eventhorn::LogLevel::kInfo
                                                      : eventhorn::LogLevel::kError);
  if (line->shrink) return tell_shrunk(line->run);
  Session session(line->run);
  const auto ended = [&] { return line->first && session.failed() > 0; };
  for (size_t i = 0; i < kept.size() && !ended(); ++i) session.run(kept[i]);
  const auto more = [&](uint64_t runs) {
    if (line->time) return std::chrono::steady_clock::now() - session.began() < *line->time;
    return runs < line->runs;
  };
  for (uint64_t runs = 0; more(runs) && !ended(); ++runs) session.run(line->run.seed + runs);
  session.print();
  return session.failed() > 0 ? 1 : 0;
}
