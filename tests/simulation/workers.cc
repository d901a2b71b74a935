#include "simulation/workers.h"

#include <utility>

namespace eventhorn::simulation {
namespace {

class LineWorker final : public Worker {
 public:
  LineWorker(World& world, Line& line, Turn turn, const LineWorkers::HoldUp& hold_up)
      : state_(std::make_shared<State>(world, line, std::move(turn), hold_up)) {}

  ~LineWorker() override { stop(); }

  void wake() override { State::wake(state_); }

  void stop() override {
    if (std::exchange(state_->stopped, true)) return;
    while (state_->turn() == Micros(0)) {
    }
  }

 private:
  // Work that waits on the line, or for its time, holds it weakly: the worker may be gone then.
  struct State {
    State(World& w, Line& l, Turn t, LineWorkers::HoldUp h)
        : world(w), line(l), turn(std::move(t)), hold_up(std::move(h)) {}

    static void wake(const std::shared_ptr<State>& state) {
      if (state->stopped || std::exchange(state->woken, true)) return;
      state->line.work.emplace_back([weak = std::weak_ptr(state)] {
        if (const auto worker = weak.lock(); worker && !worker->stopped) begin_turn(worker);
      });
    }

    static void begin_turn(const std::shared_ptr<State>& state) {
      const Micros time = state->hold_up();
      if (time == Micros(0)) return take_turn(state);
      state->world.after(time, "", [weak = std::weak_ptr(state)] {
        if (const auto worker = weak.lock(); worker && !worker->stopped) take_turn(worker);
      });
    }

    static void take_turn(const std::shared_ptr<State>& state) {
      state->woken = false;
      const uint64_t number = ++state->turns;
      const auto pause = state->turn();
      if (!pause) return;
      if (*pause == Micros(0)) return wake(state);
      // A turn that was taken meanwhile has said anew when the next one comes.
      state->world.after(*pause, "", [weak = std::weak_ptr(state), number] {
        const auto worker = weak.lock();
        if (worker && worker->turns == number) wake(worker);
      });
    }

    World& world;
    Line& line;
    const Turn turn;
    const LineWorkers::HoldUp hold_up;
    bool woken = false;
    bool stopped = false;
    uint64_t turns = 0;
  };

  const std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<Worker> LineWorkers::make(const char* name, Worker::Turn turn) {
  auto& line = lines_.make(process_ + "/" + name);
  return std::make_unique<LineWorker>(lines_.world(), line, std::move(turn), hold_up_);
}

}  // namespace eventhorn::simulation
