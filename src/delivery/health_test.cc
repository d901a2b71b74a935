#include "delivery/health.h"

#include <gtest/gtest.h>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;
using Change = Health::Change;
using State = Health::State;

class HealthTest : public ::testing::Test {
 protected:
  static HealthOptions options() {
    HealthOptions out;
    out.park_after = 60s;
    return out;
  }

  Change fail() { return health_.on_failure(now_, now_, 0.5); }

  Change succeed(uint32_t in_flight = 1, std::chrono::nanoseconds took = 50ms) {
    return health_.on_success(now_ - took, now_, in_flight);
  }

  void park() {
    for (uint32_t i = 0; i < options_.park_after_failures; ++i) EXPECT_EQ(fail(), Change::kNone);
    now_ += options_.park_after;
    EXPECT_EQ(fail(), Change::kParked);
  }

  // The probe that is due.
  Change probe(bool success) {
    EXPECT_GT(health_.ready_at(), now_);
    now_ = health_.ready_at();
    return success ? succeed() : fail();
  }

  HealthOptions options_ = options();
  Health health_{options_};
  SteadyTime now_{1h};
};

TEST_F(HealthTest, ConcurrencyGrowsWhereItIsUsedAndIsHalvedOncePerRound) {
  EXPECT_EQ(health_.limit(now_), 4U);
  succeed(1);
  EXPECT_EQ(health_.limit(now_), 4U) << "one at a time needs no more";
  for (uint32_t i = 4; i < 20; ++i) succeed(i);
  EXPECT_EQ(health_.limit(now_), 20U);
  const auto started = now_;
  now_ += 1s;
  for (int i = 0; i < 3; ++i) health_.on_failure(started, now_, 0.5);
  EXPECT_EQ(health_.limit(now_), 10U) << "some that were under way together are one sign";
  for (int i = 0; i < 3; ++i) health_.on_failure(started, now_, 0.5);
  EXPECT_EQ(health_.limit(now_), 1U) << "nothing but failures";
}

TEST_F(HealthTest, NeverAboveTheMost) {
  for (uint32_t i = 0; i < 1000; ++i) succeed(1000);
  EXPECT_EQ(health_.limit(now_), options_.max_concurrency);
  options_.max_concurrency = 2;
  health_.set_options(options_);
  EXPECT_EQ(health_.limit(now_), 2U);
  EXPECT_EQ(Health(options_).limit(now_), 2U);
}

TEST_F(HealthTest, NoMoreAtOnceThanIsOfUse) {
  const auto at_once = [&](std::chrono::nanoseconds took) {
    for (uint32_t i = 0; i < 50'000; ++i) succeed(health_.limit(now_), took);
    return health_.limit(now_);
  };
  EXPECT_EQ(at_once(700us), 35U) << "35 in 700 us are 50 000 a second";
  EXPECT_EQ(at_once(100us), 16U) << "a few always";
  EXPECT_EQ(at_once(2ms), options_.max_concurrency);
  EXPECT_EQ(at_once(100us), 16U);
  for (uint32_t i = 0; i < 200; ++i) succeed(16, 50ms);
  EXPECT_EQ(health_.limit(now_), options_.max_concurrency) << "soon, when it has become slow";
}

TEST_F(HealthTest, ParksAfterEnoughFailuresOverEnoughTime) {
  for (uint32_t i = 0; i < 3 * options_.park_after_failures; ++i) EXPECT_EQ(fail(), Change::kNone);
  EXPECT_EQ(health_.park_at(), now_ + options_.park_after);
  now_ += options_.park_after - 1ms;
  EXPECT_EQ(health_.on_time(now_, 0.5), Change::kNone);
  now_ += 1ms;
  EXPECT_EQ(health_.on_time(now_, 0.5), Change::kParked) << "even without another failure";
  EXPECT_EQ(health_.limit(now_), 1U);
}

TEST_F(HealthTest, TimeAloneOrFailuresWithSuccessesBetweenDoNotPark) {
  fail();
  now_ += 10 * options_.park_after;
  EXPECT_EQ(fail(), Change::kNone);
  for (uint32_t i = 0; i < 100; ++i) {
    succeed();
    for (uint32_t k = 1; k < options_.park_after_failures; ++k) {
      EXPECT_EQ(fail(), Change::kNone);
      now_ += 10s;
    }
  }
  EXPECT_EQ(health_.state(), State::kActive);
}

TEST_F(HealthTest, ProbesBackOffToTheirBoundWithJitter) {
  park();
  std::vector<std::chrono::nanoseconds> waits;
  for (int i = 0; i < 8; ++i) {
    const auto before = now_;
    EXPECT_EQ(probe(false), Change::kNone);
    waits.push_back(now_ - before);
  }
  EXPECT_EQ(waits[0], 30s);
  EXPECT_EQ(waits[1], 60s);
  EXPECT_EQ(waits[4], 480s);
  EXPECT_EQ(waits[5], 600s);
  EXPECT_EQ(waits[7], 600s);
  now_ = health_.ready_at();
  health_.on_failure(now_, now_, 0);
  EXPECT_EQ(health_.ready_at() - now_, 540s);
  now_ = health_.ready_at();
  health_.on_failure(now_, now_, 0.999999);
  EXPECT_NEAR(std::chrono::duration<double>(health_.ready_at() - now_).count(), 660, 0.01);
}

TEST_F(HealthTest, ReturnStartsSlowlyAndKeepsToTheLastHealthyPeak) {
  for (uint32_t i = 1; i <= 10; ++i) succeed(i);
  EXPECT_EQ(health_.healthy_peak(), 10U);
  park();
  EXPECT_EQ(probe(true), Change::kReturned);
  EXPECT_EQ(health_.limit(now_), 1U);
  for (uint32_t i = 0; i < 100; ++i) succeed(health_.limit(now_));
  EXPECT_EQ(health_.limit(now_), 10U);
  now_ += options_.slow_start;
  for (uint32_t i = 0; i < 100; ++i) succeed(health_.limit(now_));
  EXPECT_EQ(health_.limit(now_), options_.max_concurrency);
}

// Reliability R17: a receiver that flaps.
TEST_F(HealthTest, FlappingReceiverIsParkedSoonerAndProbedMoreRarely) {
  park();
  std::chrono::nanoseconds last{};
  for (int flap = 0; flap < 4; ++flap) {
    const auto before = now_;
    EXPECT_EQ(probe(true), Change::kReturned);
    EXPECT_GT(now_ - before, last) << "its backoff is not forgotten at once";
    last = now_ - before;
    for (int i = 0; i < 4; ++i) EXPECT_EQ(fail(), Change::kNone);
    EXPECT_EQ(fail(), Change::kParked) << "on trial five failures are enough";
  }
  EXPECT_EQ(probe(true), Change::kReturned);
  for (int i = 0; i < 7; ++i) {
    now_ += 10s;
    succeed();
  }
  const auto returned = now_;
  park();
  EXPECT_EQ(health_.ready_at() - now_, options_.probe_interval) << "a minute of health forgives";
  EXPECT_GE(now_ - returned, options_.park_after);
}

TEST_F(HealthTest, FailuresInARowSpaceTheAttempts) {
  for (uint32_t i = 0; i < options_.park_after_failures; ++i) fail();
  health_.on_start(now_);
  EXPECT_EQ(health_.ready_at(), now_ + 10ms);
  for (uint32_t i = 0; i < 1000 * options_.park_after_failures; ++i) fail();
  health_.on_start(now_);
  EXPECT_EQ(health_.ready_at(), now_ + 1s);
  succeed();
  EXPECT_LE(health_.ready_at(), now_);
}

TEST_F(HealthTest, RetryAfterHoldsAndTheLongestWins) {
  health_.hold_until(now_ + 30s);
  health_.hold_until(now_ + 10s);
  EXPECT_EQ(health_.ready_at(), now_ + 30s);
}

TEST_F(HealthTest, RateIsKeptOverAnySecond) {
  options_.rate_limit = 50;
  health_.set_options(options_);
  size_t started = 0;
  const auto begin = now_;
  while (now_ < begin + 10s) {
    if (health_.ready_at() <= now_) {
      health_.on_start(now_);
      ++started;
    }
    now_ += 1ms;
  }
  EXPECT_GE(started, 499U);
  EXPECT_LE(started, 506U);
  now_ += 1h;
  size_t burst = 0;
  for (; health_.ready_at() <= now_; ++burst) health_.on_start(now_);
  EXPECT_LE(burst, 6U) << "what was not used is not saved up";
}

TEST_F(HealthTest, GoneAndPausedWaitForResume) {
  EXPECT_EQ(health_.on_gone(), Change::kGone);
  EXPECT_EQ(health_.limit(now_), 0U);
  EXPECT_EQ(health_.ready_at(), SteadyTime::max());
  EXPECT_EQ(succeed(), Change::kNone) << "one that was under way";
  EXPECT_EQ(health_.state(), State::kGone);
  EXPECT_EQ(health_.resume(now_), Change::kReturned);
  EXPECT_EQ(health_.limit(now_), 1U);
  EXPECT_LE(health_.ready_at(), now_);
  health_.pause();
  EXPECT_EQ(fail(), Change::kNone);
  EXPECT_EQ(health_.on_gone(), Change::kNone);
  EXPECT_EQ(health_.limit(now_), 0U);
  EXPECT_EQ(health_.resume(now_), Change::kReturned);
  EXPECT_EQ(health_.resume(now_), Change::kNone);
}

TEST_F(HealthTest, LoadTakesUpTheBackoffAndThePeak) {
  store::EndpointRow row;
  row.state = State::kParked;
  row.probes = 3;
  row.healthy_peak = 3;
  row.failures = 30;
  health_.load(row, now_, 0.25);
  EXPECT_EQ(health_.failures_in_row(), 30U);
  EXPECT_EQ(health_.ready_at(), now_ + options_.probe_interval / 4);
  EXPECT_EQ(probe(false), Change::kNone);
  EXPECT_EQ(health_.ready_at() - now_, 8 * options_.probe_interval);
  EXPECT_EQ(probe(true), Change::kReturned);
  for (uint32_t i = 0; i < 100; ++i) succeed(health_.limit(now_));
  EXPECT_EQ(health_.limit(now_), 3U);
}

}  // namespace
}  // namespace eventhorn::delivery
