// Clocks and deadlines. Wall time (SystemTime) is for people and for rows that outlive the process;
// everything that waits uses steady time. A Clock is a constructor parameter, so that tests can
// move it.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

namespace eventhorn {

using Micros = std::chrono::microseconds;
using SystemTime = std::chrono::time_point<std::chrono::system_clock, Micros>;
using SteadyTime = std::chrono::steady_clock::time_point;
using Deadline = SteadyTime;

/// Time since the machine was booted (CLOCK_BOOTTIME): goes on while it is suspended, and nobody
/// sets it.
struct BootTime {
  uint64_t boot = 0;  // names the boot; 0 when the machine does not tell
  Micros since{};

  /// The time from `earlier` to here; nullopt where they are not known to be of one boot.
  std::optional<Micros> elapsed_since(const BootTime& earlier) const {
    if (boot == 0 || boot != earlier.boot || since < earlier.since) return std::nullopt;
    return since - earlier.since;
  }
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual SystemTime now() const = 0;
  virtual SteadyTime steady_now() const = 0;
  virtual BootTime boot_now() const = 0;
};

/// The machine's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  SystemClock();

  SystemTime now() const override;
  SteadyTime steady_now() const override;
  BootTime boot_now() const override;

 private:
  uint64_t boot_;  // constant after construction
};

/// A clock that tests move by hand; all times advance together. Thread-safe.
class FakeClock final : public Clock {
 public:
  SystemTime now() const override { return times().wall; }

  SteadyTime steady_now() const override { return times().steady; }

  BootTime boot_now() const override { return times().boot; }

  void advance(Micros by) {
    const std::lock_guard lock(mutex_);
    times_.wall += by;
    times_.steady += by;
    times_.boot.since += by;
  }

  /// The machine sleeps: steady time stands.
  void suspend(Micros by) {
    const std::lock_guard lock(mutex_);
    times_.wall += by;
    times_.boot.since += by;
  }

  /// The machine is off, and boots again. For between two lives of what uses the clock.
  void power_off(Micros by) {
    const std::lock_guard lock(mutex_);
    times_.wall += by;
    times_.boot = {times_.boot.boot + 1, std::chrono::seconds(20)};
  }

  /// Moves wall time only: a clock jump.
  void jump_wall(Micros by) {
    const std::lock_guard lock(mutex_);
    times_.wall += by;
  }

  void set_wall(SystemTime to) {
    const std::lock_guard lock(mutex_);
    times_.wall = to;
  }

 private:
  struct Times {
    SystemTime wall{std::chrono::seconds(1'773'222'000)};
    SteadyTime steady{std::chrono::hours(1)};
    BootTime boot{1, std::chrono::hours(1)};
  };

  Times times() const {
    const std::lock_guard lock(mutex_);
    return times_;
  }

  mutable std::mutex mutex_;
  Times times_;  // guarded by mutex_
};

inline int64_t to_micros(SystemTime t) {
  return t.time_since_epoch().count();
}

inline SystemTime from_micros(int64_t us) {
  return SystemTime(Micros(us));
}

}  // namespace eventhorn
