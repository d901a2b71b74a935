// Runs a save on a thread of its own, a while after it was asked for: for what is kept in the store
// beside the log.
//
// Invariant: of the requests since the last run began, one run follows, `delay` after the first.
#pragma once

#include "async/worker.h"
#include "base/mutex.h"
#include "base/time.h"

#include <chrono>
#include <functional>
#include <memory>

namespace eventhorn::store {

class Saver {
 public:
  /// `save` runs on a thread called `name`, `delay` after the first request since it last began to
  /// run; false asks for another run, a second later at the earliest. `clock` and `workers` must
  /// outlive the saver.
  Saver(const Clock& clock, Workers& workers, const char* name, std::chrono::milliseconds delay,
        std::function<bool()> save);
  /// As stop().
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  /// Requests of before count.
  void start();

  /// Any thread; does not wait.
  void request();

  /// Runs `save` a last time if it was asked for, without delay, and ends the thread. Does nothing
  /// before start().
  void stop();

 private:
  std::optional<Micros> turn();

  const Clock& clock_;
  const std::chrono::milliseconds delay_;
  const std::function<bool()> save_;
  Mutex mutex_;
  bool requested_ GUARDED_BY(mutex_) = false;
  SteadyTime due_ GUARDED_BY(mutex_);  // of what is requested
  bool started_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  const std::unique_ptr<Worker> worker_;  // last: its turns use all others
};

}  // namespace eventhorn::store
