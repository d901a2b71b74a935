// What the disk went through lately: what that may cost when a process ends. A part of the model;
// times are passed in.
#pragma once

#include "base/time.h"

#include <chrono>

namespace eventhorn::simulation {

/// Since when something is so, or until when it was, the last time.
class Spell {
 public:
  /// So long after it, all is as if it had never been.
  explicit Spell(std::chrono::seconds mended) : mended_(mended) {}

  void set(bool on, SteadyTime now) {
    if (on == on_) return;
    on_ = on;
    (on ? since_ : until_) = now;
  }

  /// It is so, or was a short while ago.
  bool lately(SteadyTime now) const { return on_ || now - until_ < mended_; }

  SteadyTime since() const { return since_; }

 private:
  const std::chrono::seconds mended_;
  bool on_ = false;
  SteadyTime since_{};
  SteadyTime until_{};
};

struct DiskStory {
  /// Of writes and syncs. After it everything is written anew, and durable.
  Spell fails{std::chrono::seconds(10)};
  /// After it what was held up goes on within a minute.
  Spell slow{std::chrono::seconds(70)};

  /// What was saved by then is durable when the power goes now.
  SteadyTime durable_until(SteadyTime now, Micros durable_after) const {
    return (slow.lately(now) ? slow.since() : now) - durable_after;
  }

  /// A store that is recovered loses what was not durable, and a process may end before it is
  /// written again: what was saved since then. The maximum when all is well.
  SteadyTime unsure_since(SteadyTime now, Micros durable_after) const {
    return fails.lately(now) ? fails.since() - durable_after : SteadyTime::max();
  }
};

}  // namespace eventhorn::simulation
