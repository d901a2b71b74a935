// How fast one URL may be sent to: no sooner than Retry-After says, no more often than its rate,
// and no retry before its delay is over, as long as the URL cannot have been parked. A part of the
// model; times are passed in.
#pragma once

#include "base/time.h"
#include "webhook/retry_schedule.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace eventhorn::simulation {

class Pace {
 public:
  /// An attempt that has its place reads its event before it is sent: it may begin so late.
  static constexpr std::chrono::seconds kBegun{1};

  /// An attempt begins. What is wrong with that; nullopt when nothing is. `rate` a second; 0: as
  /// many as can be.
  std::optional<std::string> begin(SteadyTime now, double rate) {
    if (now > held_since_ + kBegun && now < held_until_) return "before Retry-After was over";
    if (rate <= 0) return std::nullopt;
    const auto interval = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(1 / rate));
    const bool early = next_ > now + kBegun;
    next_ = std::max(next_, now) + interval;
    if (early) return "more often than its rate";
    return std::nullopt;
  }

  /// An attempt has ended. `answered`: the receiver took the event, or rejected it.
  void end(bool answered, std::optional<std::chrono::seconds> retry_after, SteadyTime now) {
    if (retry_after) {
      held_since_ = now;
      held_until_ = std::max(held_until_, now + *retry_after);
    }
    if (may_be_parked()) excuse(now);
    failures_ = answered ? 0 : failures_ + 1;
  }

  /// An operator asked for something: what the receiver asked for counts no more, and retries may
  /// be brought forward.
  void excuse(SteadyTime now) { excused_at_ = now; }

  /// Nothing that it answered keeps it from being sent to.
  bool is_free(SteadyTime now) const { return !may_be_parked() && now >= held_until_; }

  void forget_retry_after() { held_until_ = {}; }

  /// The process is no more.
  void on_end() { held_since_ = held_until_ = next_ = {}; }

  /// True when the delay of a retry after a failure then must be over by now: since then the URL
  /// cannot have been parked, which is sent probes, nor have come back.
  bool keeps_delays(SteadyTime failed_at) const {
    return !may_be_parked() && failed_at > excused_at_ + kBegun;
  }

 private:
  // With fewer in a row no endpoint is parked.
  static constexpr uint32_t kMayPark = 5;

  bool may_be_parked() const { return failures_ >= kMayPark; }

  SteadyTime held_since_{};  // by Retry-After,
  SteadyTime held_until_{};  // till then
  SteadyTime next_{};        // when one more is due by the rate
  SteadyTime excused_at_{};
  uint32_t failures_ = 0;  // in a row, over restarts
};

/// The delays between attempts, as the model counts them.
class Delays {
 public:
  explicit Delays(const webhook::RetrySchedule& schedule = {}) : delays_(schedule.delays()) {}

  /// Attempts that an event gets before it is missed.
  size_t attempts() const { return delays_.size() + 1; }

  /// The least that lies between the failure of attempt `n` and the next one.
  Micros least(size_t n) const { return scaled(n, 1 - kSpread); }

  /// The most that lies between a failure and the next attempt when at most `n` attempts have
  /// failed.
  Micros most(size_t n) const {
    Micros out{};
    for (size_t i = 1; i <= std::min(n, delays_.size()); ++i)
      out = std::max(out, scaled(i, 1 + kSpread));
    return out;
  }

 private:
  Micros scaled(size_t n, double factor) const {
    if (n == 0 || n > delays_.size()) return Micros(0);
    return std::chrono::duration_cast<Micros>(delays_[n - 1] * factor);
  }

  static constexpr double kSpread = 0.1;  // a little more where the last digit is rounded

  std::vector<std::chrono::milliseconds> delays_;
};

}  // namespace eventhorn::simulation
