// The simulated machine: one thread, a scheduler with a seed, and clocks that move when nothing is
// left to do at a time.
//
//   step():  some line has work  -> one of them goes on, by chance      (line.h); now and then one
//                                   stalls, and the others overtake it
//            else                -> the clock moves to the next wait, or to the next of at()
//
// All that the real code leaves to threads, timers and pools comes here: a core or a pool is an
// executor() of a line, a worker is a line (workers.h), and what waits is a Timer over clock().
// What runs takes a little time, by chance too. So one seed is one order of everything, and the
// same seed gives the same run.
#pragma once

#include "async/moved_clock.h"
#include "simulation/line.h"
#include "simulation/random.h"
#include "simulation/trace.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::simulation {

/// Everything that uses a world goes before it. Not thread-safe, and not to be used by work that
/// blocks on another thread.
class World {
 public:
  World(uint64_t seed, Trace& trace);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  MovedClock& clock() { return clock_; }

  Trace& trace() { return trace_; }

  /// Since the world began.
  Micros time() const;

  uint64_t steps() const { return steps_; }

  /// A stream of chance of its own for a part of the simulation.
  Random fork_random() { return random_.fork(); }

  /// A new line; it stays valid as long as the world.
  Line& make_line(std::string name, size_t width = 1);

  static asio::any_io_executor executor(Line& line) { return LineExecutor(line); }

  /// The lines come to an end with what they have to do, because the process they are of is killed:
  /// nothing runs on them any more. Coroutines that wait for something of them are destroyed. Not
  /// from within a line that is dropped.
  void drop(const std::vector<Line*>& lines);

  /// Lines stall from now on, or no more do.
  void set_stalls(bool stalls) { stalls_ = stalls; }

  /// Calls `what` after so long, in a step of its own. `name` stands in the trace.
  void after(Micros delay, std::string name, std::function<void()> what);

  /// Does one thing. False when there is nothing left that could ever happen.
  bool step();

 private:
  struct Event {
    std::string name;
    std::function<void()> what;
  };

  void find_ready();
  bool is_held_up(Line& line);
  void run(Line& line);
  void run_event();
  void spend_time();
  /// False when nothing waits.
  bool move_on();
  /// Handlers of timers that were woken become work of their lines.
  void poll();

  Trace& trace_;
  Random random_;
  MovedClock clock_;
  const SteadyTime begin_;
  asio::io_context timers_{1};
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<Line*> live_;
  std::vector<Line*> ready_;  // scratch of step()
  std::multimap<SteadyTime, Event> events_;
  Micros spent_{};  // by work, not yet added to the clock
  uint64_t steps_ = 0;
  bool stalls_ = false;
};

/// Lines that are dropped together: the threads of one process.
class LineSet {
 public:
  explicit LineSet(World& world) : world_(world) {}

  ~LineSet() { drop(); }

  LineSet(const LineSet&) = delete;
  LineSet& operator=(const LineSet&) = delete;

  Line& make(const std::string& name, size_t width = 1) {
    return *lines_.emplace_back(&world_.make_line(name, width));
  }

  void drop() const { world_.drop(lines_); }

  World& world() const { return world_; }

 private:
  World& world_;
  std::vector<Line*> lines_;
};

}  // namespace eventhorn::simulation
