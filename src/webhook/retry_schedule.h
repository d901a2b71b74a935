// When a failed delivery is tried again.
#pragma once

#include "base/result.h"
#include "base/time.h"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace eventhorn::webhook {

inline constexpr size_t kMaxRetries = 32;

/// The delays after each failed attempt; a value.
class RetrySchedule {
 public:
  /// 5, 10, 15, 60, 120 and 240 minutes (Mailgun's documentation, "Automatic Retries").
  RetrySchedule();
  /// At most kMaxRetries delays above zero (CHECK); `spread` in [0, 1) is the share that jitter
  /// moves a delay to either side.
  explicit RetrySchedule(std::vector<std::chrono::milliseconds> delays, double spread = 0.1);

  /// From texts such as "5m" (base/duration.h). None means one attempt only. kInvalidArgument,
  /// naming the entry, for a text that is no duration, for zero, and for more than kMaxRetries
  /// entries.
  static Result<RetrySchedule> parse(std::span<const std::string> delays);

  /// Time to wait before attempt `n + 1`, where attempt `n` (1 or more) just failed; nullopt when
  /// the schedule is used up. `jitter` in [0, 1) moves the delay within the spread to either side;
  /// the caller draws it, so that tests are exact.
  std::optional<std::chrono::milliseconds> next_delay(size_t n, double jitter) const;

  /// Without jitter.
  const std::vector<std::chrono::milliseconds>& delays() const { return delays_; }

 private:
  std::vector<std::chrono::milliseconds> delays_;
  double spread_ = 0.1;
};

/// When a retry is due that was stored as "attempted at `last`, wait `delay`" and is read at `now`:
/// clamp(last + delay, now, now + delay). So a clock that jumped back cannot freeze a retry for
/// longer than its delay, and one that jumped ahead makes it due at once, never in the past
/// (reliability C7).
SystemTime due_on_load(SystemTime last, std::chrono::milliseconds delay, SystemTime now);

}  // namespace eventhorn::webhook
