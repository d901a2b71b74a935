#include "simulation/pace.h"

#include "simulation/disk_story.h"
#include "simulation/pauses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr SteadyTime kStart{1h};

TEST(Pace, KeepsRetryAfter) {
  Pace pace;
  pace.end(false, 60s, kStart);
  EXPECT_FALSE(pace.begin(kStart + 1s, 0)) << "it had its place before";
  EXPECT_THAT(pace.begin(kStart + 30s, 0).value_or(""), HasSubstr("before Retry-After"));
  EXPECT_FALSE(pace.begin(kStart + 60s, 0));
}

TEST(Pace, KeepsTheRate) {
  Pace pace;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(pace.begin(kStart, 2)) << "half a second each";
  EXPECT_THAT(pace.begin(kStart, 2).value_or(""), HasSubstr("more often"));
}

TEST(Pace, ADelayHoldsUnlessTheUrlMayHaveBeenParked) {
  Pace pace;
  for (int i = 0; i < 4; ++i) pace.end(false, {}, kStart + 10s);
  EXPECT_TRUE(pace.keeps_delays(kStart + 10s));
  pace.end(false, {}, kStart + 20s);
  EXPECT_FALSE(pace.keeps_delays(kStart + 20s)) << "five in a row";
  pace.end(true, {}, kStart + 30s);
  EXPECT_FALSE(pace.keeps_delays(kStart + 20s)) << "it was before the return";
  EXPECT_TRUE(pace.keeps_delays(kStart + 40s));
  pace.excuse(kStart + 50s);
  EXPECT_FALSE(pace.keeps_delays(kStart + 40s));
}

TEST(Delays, AreThoseOfTheScheduleWithItsJitter) {
  const Delays delays(webhook::RetrySchedule({10s, 100s}));
  EXPECT_EQ(delays.attempts(), 3U);
  EXPECT_EQ(delays.least(1), 9s);
  EXPECT_EQ(delays.least(2), 90s);
  EXPECT_EQ(delays.most(0), 0s);
  EXPECT_EQ(delays.most(1), 11s);
  EXPECT_EQ(delays.most(9), 110s);
}

TEST(DiskStory, AKillCostsWhatAFailingDiskLeftUnsure) {
  DiskStory disk;
  EXPECT_EQ(disk.unsure_since(kStart, 1s), SteadyTime::max());
  disk.fails.set(true, kStart);
  disk.fails.set(true, kStart + 5s);
  EXPECT_EQ(disk.unsure_since(kStart + 5s, 1s), kStart - 1s);
  disk.fails.set(false, kStart + 20s);
  EXPECT_EQ(disk.unsure_since(kStart + 29s, 1s), kStart - 1s) << "it is not written anew yet";
  EXPECT_EQ(disk.unsure_since(kStart + 30s, 1s), SteadyTime::max());
}

TEST(DiskStory, APowerCutCostsWhatASlowDiskHasNotSynced) {
  DiskStory disk;
  EXPECT_EQ(disk.durable_until(kStart, 1s), kStart - 1s);
  disk.slow.set(true, kStart);
  EXPECT_EQ(disk.durable_until(kStart + 60s, 1s), kStart - 1s);
}

TEST(Pauses, HoldUntilTheUrlIsResumed) {
  Pauses pauses;
  const auto asked = pauses.ask("a");
  EXPECT_FALSE(pauses.since("a"));
  pauses.on_paused("a", asked, kStart);
  EXPECT_EQ(pauses.since("a"), kStart);
  pauses.end("a");
  EXPECT_FALSE(pauses.since("a"));
  pauses.on_paused("a", asked, kStart);
  EXPECT_FALSE(pauses.since("a")) << "the resume came behind it";
}

TEST(Pauses, ThatWereNotSavedMayBeLost) {
  Pauses pauses;
  pauses.on_paused("a", pauses.ask("a"), kStart);
  pauses.on_paused("b", pauses.ask("b"), kStart + 10s);
  pauses.on_lost(kStart + 5s);
  EXPECT_TRUE(pauses.since("a"));
  EXPECT_FALSE(pauses.since("b"));
}

}  // namespace
}  // namespace eventhorn::simulation
