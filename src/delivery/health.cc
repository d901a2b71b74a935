#include "delivery/health.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kStartLimit = 4;
// Fewer attempts at once than this are never too many, nor are those that do not make more than one
// attempt in each kUsefulFor (Little's law: rate = attempts under way / mean time of one).
constexpr uint32_t kAlwaysUseful = 16;
constexpr std::chrono::nanoseconds kUsefulFor = 20us;
constexpr int kMeanOver = 4096;      // successes
constexpr uint32_t kEachHalves = 4;  // from so many failures in a row on
// After a return: so long so few failures park again, and only so long without them makes the
// backoff forget (reliability R17: a receiver that flaps settles into rare probes).
constexpr auto kTrial = 10s;
constexpr uint32_t kTrialFailures = 5;
constexpr auto kForgiven = 60s;
// Between attempts, for each `park_after_failures` failures in a row.
constexpr auto kSpacing = 10ms;
constexpr auto kMaxSpacing = 1s;
constexpr auto kPeakWindow = 60s;
constexpr auto kRateTolerance = 100ms;
constexpr double kMinRate = 0.001;  // a second
constexpr double kProbeSpread = 0.1;

std::chrono::nanoseconds interval_of(double rate) {
  const std::chrono::duration<double> interval(1 / std::max(rate, kMinRate));
  return std::chrono::duration_cast<std::chrono::nanoseconds>(interval);
}

std::chrono::nanoseconds spread(std::chrono::milliseconds interval, double jitter) {
  const double factor = 1 + kProbeSpread * (2 * jitter - 1);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(interval * factor);
}

}  // namespace

Health::Health(const HealthOptions& options)
    : options_(options), limit_(std::min(kStartLimit, options.max_concurrency)) {}

void Health::set_options(const HealthOptions& options) {
  options_ = options;
  limit_ = std::min(limit_, options.max_concurrency);
  rate_at_ = {};
}

void Health::load(const store::EndpointRow& row, SteadyTime now, double jitter) {
  state_ = row.state;
  probes_ = row.probes;
  previous_peak_ = row.healthy_peak;
  peak_since_ = now;
  // The first probe comes soon, spread so that a start does not try all dead receivers at once.
  if (parked()) {
    failures_ = row.failures;
    probe_at_ = now + std::chrono::duration_cast<std::chrono::nanoseconds>(options_.probe_interval *
                                                                           jitter);
  }
}

uint32_t Health::limit(SteadyTime now) const {
  switch (state_) {
    case State::kParked:
      return 1;
    case State::kGone:
    case State::kPaused:
      return 0;
    case State::kActive:
      break;
  }
  const uint32_t limit = std::min(limit_, useful());
  if (now >= slow_until_) return limit;
  const uint32_t peak = healthy_peak();
  return std::min(limit, peak == 0 ? kStartLimit : peak);
}

// How many attempts under way are of use: with more the receiver gets no more, but whoever else
// has work on this core waits for all of them at each turn.
uint32_t Health::useful() const {
  return std::max(kAlwaysUseful, static_cast<uint32_t>(std::min<int64_t>(
                                     mean_time_ / kUsefulFor, options_.max_concurrency)));
}

SteadyTime Health::ready_at() const {
  if (state_ == State::kGone || state_ == State::kPaused) return SteadyTime::max();
  auto at = std::max(held_until_, spaced_until_);
  if (parked()) at = std::max(at, probe_at_);
  if (options_.rate_limit > 0) {
    const auto tolerance =
        std::max<std::chrono::nanoseconds>(0ns, kRateTolerance - interval_of(options_.rate_limit));
    at = std::max(at, rate_at_ - tolerance);
  }
  return at;
}

void Health::on_start(SteadyTime now) {
  if (options_.rate_limit > 0)
    rate_at_ = std::max(rate_at_, now) + interval_of(options_.rate_limit);
  const auto steps = failures_ / std::max(1U, options_.park_after_failures);
  if (steps > 0)
    spaced_until_ = now + std::min<std::chrono::milliseconds>(kSpacing * steps, kMaxSpacing);
}

void Health::note_peak(SteadyTime now, uint32_t in_flight) {
  if (now - peak_since_ >= kPeakWindow) {
    previous_peak_ = peak_;
    peak_ = 0;
    peak_since_ = now;
  }
  peak_ = std::max(peak_, in_flight);
}

uint32_t Health::healthy_peak() const {
  return std::max(peak_, previous_peak_);
}

Health::Change Health::on_success(SteadyTime started, SteadyTime now, uint32_t in_flight) {
  mean_time_ += (now - started - mean_time_) / kMeanOver;
  if (state_ == State::kGone || state_ == State::kPaused) return Change::kNone;
  succeeded_ = true;
  const uint32_t failed = std::exchange(failures_, 0);
  spaced_until_ = {};
  if (parked()) {
    state_ = State::kActive;
    returned_at_ = now;
    begin_slow_start(now);
    return Change::kReturned;
  }
  // Whoever comes out of trouble begins gently, parked or not.
  if (failed >= kTrialFailures) begin_slow_start(now);
  if (now >= returned_at_ + kForgiven) probes_ = 0;
  if (now >= slow_until_) note_peak(now, in_flight);
  if (in_flight >= limit_ && limit_ < options_.max_concurrency) ++limit_;
  return Change::kNone;
}

Health::Change Health::on_failure(SteadyTime started, SteadyTime now, double jitter) {
  if (state_ == State::kGone || state_ == State::kPaused) return Change::kNone;
  if (failures_++ == 0) failing_since_ = now;
  if (parked()) return park(now, jitter);
  if (started >= halved_at_ || failures_ >= kEachHalves) {
    limit_ = std::max(1U, limit_ / 2);
    halved_at_ = now;
  }
  const bool on_trial = now < returned_at_ + kTrial;
  if (on_trial && failures_ >= std::min(kTrialFailures, options_.park_after_failures))
    return park(now, jitter);
  return on_time(now, jitter);
}

SteadyTime Health::park_at() const {
  if (state_ != State::kActive || failures_ < options_.park_after_failures)
    return SteadyTime::max();
  return failing_since_ + options_.park_after;
}

Health::Change Health::on_time(SteadyTime now, double jitter) {
  return now >= park_at() ? park(now, jitter) : Change::kNone;
}

// Also the end of a failed probe.
Health::Change Health::park(SteadyTime now, double jitter) {
  const bool was_parked = std::exchange(state_, State::kParked) == State::kParked;
  auto interval = options_.probe_interval;
  for (uint32_t i = 0; i < probes_ && interval < options_.probe_max_interval; ++i) interval *= 2;
  probe_at_ = now + spread(std::min(interval, options_.probe_max_interval), jitter);
  ++probes_;
  succeeded_ = false;
  return was_parked ? Change::kNone : Change::kParked;
}

Health::Change Health::on_gone() {
  if (state_ == State::kGone || state_ == State::kPaused) return Change::kNone;
  state_ = State::kGone;
  succeeded_ = false;
  return Change::kGone;
}

void Health::hold_until(SteadyTime when) {
  held_until_ = std::max(held_until_, when);
}

void Health::pause() {
  state_ = State::kPaused;
}

Health::Change Health::resume(SteadyTime now) {
  if (state_ == State::kActive) return Change::kNone;
  state_ = State::kActive;
  failures_ = 0;
  probes_ = 0;
  spaced_until_ = {};
  held_until_ = {};
  returned_at_ = now;
  begin_slow_start(now);
  return Change::kReturned;
}

void Health::begin_slow_start(SteadyTime now) {
  limit_ = 1;
  halved_at_ = now;
  slow_until_ = now + options_.slow_start;
}

}  // namespace eventhorn::delivery
