// Workers whose turns are taken by a world: each is a line, and a turn is a piece of its work.
#pragma once

#include "async/worker.h"
#include "simulation/world.h"

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace eventhorn::simulation {

/// Of one process. Outlives its workers. Once the lines are dropped, only stop() takes turns.
class LineWorkers final : public Workers {
 public:
  /// Asked before each turn: for how long the thread is held up.
  using HoldUp = std::function<Micros()>;

  /// `process` stands before the names in the trace. `lines` outlives this.
  LineWorkers(LineSet& lines, std::string process, HoldUp hold_up)
      : lines_(lines), process_(std::move(process)), hold_up_(std::move(hold_up)) {}

  std::unique_ptr<Worker> make(const char* name, Worker::Turn turn) override;

 private:
  LineSet& lines_;
  const std::string process_;
  const HoldUp hold_up_;
};

}  // namespace eventhorn::simulation
