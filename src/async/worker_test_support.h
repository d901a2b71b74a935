// Workers without threads: the test takes their turns.
#pragma once

#include "async/worker.h"

#include <optional>
#include <utility>

namespace eventhorn {

/// Makes one worker, whose turns come from run().
class HandWorkers final : public Workers {
 public:
  std::unique_ptr<Worker> make(const char*, Worker::Turn turn) override {
    turn_ = std::move(turn);
    return std::make_unique<Hand>(*this);
  }

  /// One turn, and those that it asks for at once. Returns the pause that the last one asked for.
  std::optional<Micros> run() {
    for (;;) {
      woken_ = false;
      const auto pause = turn_();
      if (pause != Micros(0)) return pause;
    }
  }

  /// Whether a turn is due because somebody woke the worker.
  bool woken() const { return woken_; }

 private:
  class Hand final : public Worker {
   public:
    explicit Hand(HandWorkers& workers) : workers_(workers) {}

    ~Hand() override { stop(); }

    void wake() override { workers_.woken_ = true; }

    void stop() override {
      if (!std::exchange(stopped_, true)) (void)workers_.run();
    }

   private:
    HandWorkers& workers_;
    bool stopped_ = false;
  };

  Worker::Turn turn_;
  bool woken_ = false;
};

}  // namespace eventhorn
