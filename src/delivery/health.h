// How an endpoint is: whether it may be sent to, how much at once, and when next. Pure: times and
// random numbers are passed in.
//
// Active: the limit of attempts under way starts at 4, grows by one with a success that used it
// up, and is halved by a failure (additive increase, multiplicative decrease). It is not used up
// where fewer make 50 000 attempts a second: more would only wait for this core, before the
// attempts of others. Failures of attempts that were under way together halve it once, until four
// have come in a row. Failures in a row also space the attempts. After enough of them, over enough
// time, the endpoint is parked: one probe at a time, on a backoff. A success returns it, on trial
// at first, and for a while with no more at once than it bore when it was last well. Gone (410) and
// paused: nothing until resume().
#pragma once

#include "base/time.h"
#include "store/model.h"

#include <chrono>
#include <cstdint>

namespace eventhorn::delivery {

struct HealthOptions {
  uint32_t max_concurrency = 64;
  /// Attempts per second; 0: no limit.
  double rate_limit = 0;
  uint32_t park_after_failures = 20;
  std::chrono::milliseconds park_after{300'000};
  std::chrono::milliseconds probe_interval{30'000};
  std::chrono::milliseconds probe_max_interval{600'000};
  std::chrono::milliseconds slow_start{10'000};
};

class Health {
 public:
  using State = store::EndpointRow::State;

  /// What a call changed, for those who act on it.
  enum class Change : uint8_t { kNone, kParked, kReturned, kGone };

  explicit Health(const HealthOptions& options);

  void set_options(const HealthOptions& options);

  /// Takes up what an earlier process knew.
  void load(const store::EndpointRow& row, SteadyTime now, double jitter);

  State state() const { return state_; }

  bool parked() const { return state_ == State::kParked; }

  /// Attempts that may be under way at `now`.
  uint32_t limit(SteadyTime now) const;

  /// When the next attempt may start, by backoff, spacing, rate and Retry-After; the maximum while
  /// only resume() helps.
  SteadyTime ready_at() const;

  /// An attempt starts.
  void on_start(SteadyTime now);

  /// `in_flight` counts the attempt that ended. `jitter` is in [0, 1).
  Change on_success(SteadyTime started, SteadyTime now, uint32_t in_flight);
  Change on_failure(SteadyTime started, SteadyTime now, double jitter);
  Change on_gone();

  /// The receiver, or a fault of ours, asks for a pause.
  void hold_until(SteadyTime when);

  /// When an endpoint that has failed often enough is to be parked, if nothing ends before; the
  /// maximum when it is not failing so.
  SteadyTime park_at() const;
  /// Parks at park_at().
  Change on_time(SteadyTime now, double jitter);

  void pause();
  /// Ends paused, gone and parked: kReturned, or kNone when active.
  Change resume(SteadyTime now);

  uint32_t failures_in_row() const { return failures_; }

  uint32_t probes() const { return probes_; }

  /// True when nothing went wrong last, and something has gone right.
  bool well() const { return state_ == State::kActive && failures_ == 0 && succeeded_; }

  /// Never tried since the start or the return.
  bool unknown() const { return state_ == State::kActive && failures_ == 0 && !succeeded_; }

  /// Most attempts under way while it was last well; 0 when it never was.
  uint32_t healthy_peak() const;

 private:
  Change park(SteadyTime now, double jitter);
  void begin_slow_start(SteadyTime now);
  void note_peak(SteadyTime now, uint32_t in_flight);
  uint32_t useful() const;

  HealthOptions options_;
  State state_ = State::kActive;
  uint32_t limit_;
  bool succeeded_ = false;
  std::chrono::nanoseconds mean_time_ = std::chrono::seconds(1);  // of successes
  uint32_t failures_ = 0;                                         // in a row
  SteadyTime failing_since_{};
  SteadyTime halved_at_{};
  SteadyTime spaced_until_{};
  SteadyTime held_until_{};
  SteadyTime rate_at_{};  // theoretical arrival time of the next attempt (GCRA)
  uint32_t probes_ = 0;   // failed ones in a row: the step of the backoff
  SteadyTime probe_at_{};
  SteadyTime returned_at_ = SteadyTime::min();
  SteadyTime slow_until_ = SteadyTime::min();
  uint32_t peak_ = 0, previous_peak_ = 0;  // of this window and the one before
  SteadyTime peak_since_{};
};

}  // namespace eventhorn::delivery
