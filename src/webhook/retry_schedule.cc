#include "webhook/retry_schedule.h"

#include "base/check.h"
#include "base/duration.h"

#include <algorithm>

namespace eventhorn::webhook {

using std::chrono::milliseconds;
using std::chrono::minutes;

RetrySchedule::RetrySchedule()
    : delays_{minutes(5), minutes(10), minutes(15), minutes(60), minutes(120), minutes(240)} {}

RetrySchedule::RetrySchedule(std::vector<milliseconds> delays, double spread)
    : delays_(std::move(delays)), spread_(spread) {
  CHECK(delays_.size() <= kMaxRetries && spread >= 0 && spread < 1);
  for (const auto d : delays_) CHECK(d > milliseconds::zero());
}

Result<RetrySchedule> RetrySchedule::parse(std::span<const std::string> delays) {
  if (delays.size() > kMaxRetries) {
    return fail(Errc::kInvalidArgument,
                "retry schedule must have at most " + std::to_string(kMaxRetries) + " entries");
  }
  RetrySchedule out;
  out.delays_.clear();
  for (const std::string& text : delays) {
    const std::string entry = "retry schedule entry " + std::to_string(out.delays_.size() + 1);
    const auto delay = parse_duration(text);
    if (!delay) return fail(Errc::kInvalidArgument, entry + ": " + delay.error().message);
    if (*delay <= milliseconds::zero()) {
      return fail(Errc::kInvalidArgument, entry + ": duration must be more than zero");
    }
    out.delays_.push_back(*delay);
  }
  return out;
}

std::optional<milliseconds> RetrySchedule::next_delay(size_t n, double jitter) const {
  CHECK(n >= 1 && jitter >= 0 && jitter < 1);
  if (n > delays_.size()) return std::nullopt;
  const auto delay = static_cast<double>(delays_[n - 1].count());
  return milliseconds(static_cast<int64_t>(delay * (1 - spread_ + 2 * spread_ * jitter) + 0.5));
}

SystemTime due_on_load(SystemTime last, milliseconds delay, SystemTime now) {
  delay = std::clamp(delay, milliseconds::zero(), milliseconds(kMaxDuration));
  // A stored time far in the future must not overflow the sum; it gives the upper bound in any
  // case.
  if (last >= now) return now + delay;
  return std::max(last + delay, now);
}

}  // namespace eventhorn::webhook
