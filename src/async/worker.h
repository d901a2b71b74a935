// A thread that takes turns: it works until nothing is left to do, and sleeps until it is woken or
// its time has come. It is for work that blocks on the disk and must not wait in a pool.
//
// Who owns a Worker takes its Workers from outside, so that a test or a simulation can take the
// turns itself, on its own thread and in its own order (worker_test_support.h).
#pragma once

#include "base/time.h"

#include <functional>
#include <memory>
#include <optional>

namespace eventhorn {

class Worker {
 public:
  /// Works, and returns after how long the next turn comes at the latest: 0 for at once, nullopt
  /// for not before wake().
  using Turn = std::function<std::optional<Micros>()>;

  /// As stop().
  virtual ~Worker() = default;

  /// A turn begins after this call. A turn that is under way is followed by another one. Any
  /// thread; calls before that turn begins count as one.
  virtual void wake() = 0;

  /// Takes one more turn, and further ones while each asks for the next one at once; returns when
  /// the last one has ended. No turn comes after it. Not from within a turn.
  virtual void stop() = 0;
};

class Workers {
 public:
  virtual ~Workers() = default;
  /// It sleeps until it is woken for the first time. `name` has at most 15 characters: people see
  /// it in `top`.
  virtual std::unique_ptr<Worker> make(const char* name, Worker::Turn turn) = 0;
};

/// Gives each worker a thread of the machine.
class WorkerThreads final : public Workers {
 public:
  std::unique_ptr<Worker> make(const char* name, Worker::Turn turn) override;
};

}  // namespace eventhorn
