#include "simulation/runner.h"

#include "base/log.h"
#include "simulation/rocks_disk.h"
#include "store/model.h"

#include <gtest/gtest.h>

namespace eventhorn::simulation {
namespace {

RunOptions quick(uint64_t seed) {
  RunOptions out;
  out.seed = seed;
  out.steps = 3'000;
  return out;
}

class RunnerTest : public ::testing::Test {
 protected:
  RunnerTest() { set_log_level(LogLevel::kError); }
};

TEST_F(RunnerTest, TheSameSeedGivesTheSameTrace) {
  for (const uint64_t seed : {1, 2}) {
    Trace first;
    const auto one = run(quick(seed), first);
    EXPECT_EQ(store::live_event_bytes(), 0U) << "nothing of a run is left";
    Trace second;
    const auto other = run(quick(seed), second);
    EXPECT_EQ(one.hash, other.hash);
    EXPECT_EQ(one.steps, other.steps);
    EXPECT_EQ(one.time, other.time);
  }
}

TEST_F(RunnerTest, TheEmbeddedEngineRunsInTheSameWorld) {
  auto options = quick(2);
  options.steps = 1'000;
  options.make_disk = make_rocks_disk;
  Trace first;
  const auto one = run(options, first);
  EXPECT_FALSE(one.violation) << *one.violation;
  EXPECT_GT(one.events, 0U);
  Trace second;
  EXPECT_EQ(run(options, second).hash, one.hash);
}

TEST_F(RunnerTest, AnotherSeedGivesAnotherTrace) {
  Trace first;
  Trace second;
  EXPECT_NE(run(quick(1), first).hash, run(quick(2), second).hash);
}

TEST_F(RunnerTest, WithoutFaultsEverythingIsSettledOnce) {
  uint64_t settled = 0;
  for (uint64_t seed = 1; seed < 5; ++seed) {
    auto options = quick(seed);
    options.ingredients = Ingredients::without_faults();
    Trace trace;
    const auto result = run(options, trace);
    EXPECT_FALSE(result.violation) << "seed " << seed << ": " << *result.violation;
    EXPECT_EQ(result.repeated, 0U);
    EXPECT_EQ(result.kills, 0U);
    settled += result.settled;
  }
  EXPECT_GT(settled, 100U);
}

TEST_F(RunnerTest, SeedsHold) {
  for (uint64_t seed = 100; seed < 105; ++seed) {
    Trace trace;
    const auto result = run(quick(seed), trace);
    EXPECT_FALSE(result.violation) << "seed " << seed << ": " << *result.violation;
  }
}

}  // namespace
}  // namespace eventhorn::simulation
