#include "store/kept_clock.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using State = KeptClock::State;

constexpr Micros kRetention = days(30);

/// A kept clock that is watched every ten seconds, with a hold of an hour.
class KeptClockTest : public ::testing::Test {
 protected:
  void SetUp() override { kept().start(std::nullopt, clock_.now()); }

  KeptClock& kept() { return *kept_; }

  /// Lets time pass; the state at its end.
  State pass(Micros time, Micros step = seconds(10)) {
    for (Micros done{}; done < time; done += step) {
      clock_.advance(step);
      last_ = kept().watch();
      EXPECT_GE(kept().now(), highest_) << "the kept clock fell";
      highest_ = kept().now();
    }
    return last_.state;
  }

  /// Another life of the process.
  void restart() { power_off(Micros(0), false); }

  /// Another life of the process, in another boot.
  void power_off(Micros by, bool other_boot = true) {
    const auto saved = kept().save();
    if (other_boot) clock_.power_off(by);
    kept_ = std::make_unique<KeptClock>(clock_, hours(1));
    kept().start(saved, {});
  }

  /// Real time that passes until cut() drops a stamp.
  Micros lives(SystemTime stamp, Micros age) {
    Micros lived{};
    while (kept().cut(age) <= stamp) {
      pass(minutes(10));
      lived += minutes(10);
    }
    return lived;
  }

  FakeClock clock_;
  std::unique_ptr<KeptClock> kept_ = std::make_unique<KeptClock>(clock_, hours(1));
  KeptClock::Watch last_;
  SystemTime highest_;
};

TEST_F(KeptClockTest, FollowsAWallClockThatIsRight) {
  EXPECT_EQ(pass(days(1)), State::kFollowing);
  EXPECT_EQ(kept().now(), clock_.now());
  EXPECT_EQ(kept().cut(kRetention), clock_.now() - kRetention);
}

TEST_F(KeptClockTest, C13AWallClockThatIsAheadForAWhileChangesNothing) {
  for (const Micros jump : {Micros(hours(1)), Micros(days(365))}) {
    const SystemTime before = kept().now();
    clock_.jump_wall(jump);
    EXPECT_EQ(pass(minutes(59)), State::kHolding);
    clock_.jump_wall(-jump);
    EXPECT_EQ(pass(hours(2)), State::kFollowing);
    EXPECT_EQ(kept().now(), before + minutes(179));
    EXPECT_EQ(kept().now(), clock_.now());
    EXPECT_EQ(kept().cut(kRetention), kept().now() - kRetention) << "no gap is left";
  }
}

TEST_F(KeptClockTest, C13FlappingClocksAreNeverBelieved) {
  const SystemTime before = kept().now();
  for (int i = 0; i < 48; ++i) {
    clock_.jump_wall(i % 2 == 0 ? hours(3) : hours(-2));
    pass(minutes(50));
  }
  EXPECT_EQ(kept().now(), before + 48 * minutes(50));
  EXPECT_EQ(kept().cut(kRetention), kept().now() - kRetention) << "nothing is kept for ever";
}

TEST_F(KeptClockTest, C13AMonthOffIsMadeGoodInHalfADay) {
  power_off(days(30));
  EXPECT_EQ(pass(seconds(10)), State::kHolding);
  EXPECT_NEAR(std::chrono::duration<double>(last_.ahead).count(), 30 * 86400.0, 15);
  EXPECT_EQ(pass(hours(1) - seconds(20)), State::kHolding);
  EXPECT_EQ(pass(seconds(20)), State::kCatchingUp);
  const SystemTime begin = clock_.now();
  EXPECT_EQ(pass(hours(6)), State::kCatchingUp);
  EXPECT_NEAR(std::chrono::duration<double>(clock_.now() - kept().now()).count(),
              (30 * 24 - 59 * 6) * 3600.0, 120);
  while (pass(seconds(10)) == State::kCatchingUp) {
  }
  EXPECT_NEAR(std::chrono::duration<double>(clock_.now() - begin).count(), 30 * 86400.0 / 59, 120);
  pass(minutes(1));
  EXPECT_EQ(kept().now(), clock_.now());
}

TEST_F(KeptClockTest, C13WhatIsCommittedInTheHoldOrWhileItCatchesUpIsKeptAsLongAsOthers) {
  const SystemTime early = kept().now();
  pass(hours(1));
  power_off(days(40));
  std::vector<std::pair<SystemTime, SystemTime>> committed;  // stamp, true time
  for (int i = 0; i < 60; ++i) {
    pass(minutes(20));
    committed.emplace_back(kept().now(), clock_.now());
  }
  ASSERT_EQ(last_.state, State::kFollowing) << "it has caught up";
  EXPECT_GT(kept().cut(kRetention), early) << "what was there before the machine was off is due";
  for (const auto& [stamp, time] : committed) {
    lives(stamp, kRetention);
    EXPECT_GE(clock_.now() - time, kRetention) << "dropped early";
    EXPECT_LE(clock_.now() - time, kRetention + days(1)) << "kept for too long";
  }
}

// Neither a restart nor another step ends what is not made good yet.
TEST_F(KeptClockTest, C13RestartsAndStepsWhileItIsBehindDropNothingEarly) {
  std::vector<std::pair<SystemTime, SystemTime>> committed;  // stamp, true time
  const auto commit = [&] { committed.emplace_back(kept().now(), clock_.now()); };
  power_off(days(60));
  pass(minutes(40));
  commit();
  restart();  // in the hold
  pass(minutes(30));
  commit();
  clock_.jump_wall(seconds(20));  // in the hold
  EXPECT_EQ(pass(minutes(59)), State::kHolding);
  commit();
  EXPECT_EQ(pass(hours(2)), State::kCatchingUp);
  commit();
  restart();  // while it catches up
  commit();
  EXPECT_EQ(pass(hours(3)), State::kCatchingUp);
  commit();
  clock_.jump_wall(minutes(1));  // while it catches up
  EXPECT_EQ(pass(minutes(59)), State::kHolding);
  commit();
  power_off(days(3));
  pass(hours(1));
  commit();
  while (pass(minutes(1)) != State::kFollowing) {
  }
  for (const auto& [stamp, time] : committed) {
    lives(stamp, kRetention);
    EXPECT_GE(clock_.now() - time, kRetention - minutes(2)) << "dropped early";
    EXPECT_LE(clock_.now() - time, kRetention + days(5)) << "kept for too long";
  }
}

TEST_F(KeptClockTest, C13AStepBackWhileItCatchesUpEndsThat) {
  clock_.jump_wall(days(365));
  EXPECT_EQ(pass(hours(3)), State::kCatchingUp);
  const SystemTime in_gap = kept().now();
  clock_.jump_wall(-days(365));
  EXPECT_EQ(pass(seconds(10)), State::kFollowing);
  EXPECT_LT(last_.ahead, -days(4)) << "the kept clock never falls";
  const SystemTime before = kept().now();
  pass(hours(1));
  EXPECT_EQ(kept().now(), before + hours(1));
  const Micros lived = lives(in_gap, kRetention);
  EXPECT_GE(lived + hours(1), kRetention);
  EXPECT_LE(lived + hours(1), kRetention + hours(3));
}

TEST_F(KeptClockTest, C13AWallClockThatFellBehindHoldsNothingUp) {
  const SystemTime before = kept().now();
  clock_.jump_wall(-days(365));
  EXPECT_EQ(pass(days(1)), State::kFollowing);
  EXPECT_EQ(kept().now(), before + days(1));
  EXPECT_LE(lives(before, kRetention), kRetention);
}

TEST_F(KeptClockTest, C13AYearBehindAtBoot) {
  const SystemTime before = kept().now();
  power_off(-days(365));
  EXPECT_EQ(pass(hours(1)), State::kFollowing);
  EXPECT_GE(kept().now(), before + hours(1));
  clock_.jump_wall(days(365));  // NTP
  pass(hours(2));
  EXPECT_LE(kept().now() - clock_.now(), seconds(2));
  EXPECT_GE(kept().now(), before + hours(3));
}

TEST_F(KeptClockTest, C13SuspendedTimeCountsAtOnce) {
  const SystemTime before = kept().now();
  clock_.suspend(days(60));
  EXPECT_EQ(pass(seconds(10)), State::kFollowing);
  EXPECT_EQ(kept().now(), before + days(60) + seconds(10));
  EXPECT_GT(kept().cut(kRetention), before);
}

TEST_F(KeptClockTest, ARestartInTheSameBootGoesOnExactly) {
  pass(minutes(5));
  const auto saved = kept().save();
  clock_.advance(hours(5));
  clock_.jump_wall(days(3));
  KeptClock next(clock_, hours(1));
  next.start(saved, {});
  EXPECT_EQ(next.now(), saved.kept + hours(5));
  EXPECT_EQ(next.watch().state, State::kHolding);
}

TEST_F(KeptClockTest, ARestartInAnotherBootIsNeverBehindAStamp) {
  const auto saved = kept().due();
  ASSERT_TRUE(saved);
  kept().saved(*saved);
  clock_.advance(KeptClock::kSaveEvery - Micros(1));
  EXPECT_FALSE(kept().due()) << "the row will do";
  const SystemTime stamp = kept().now();
  clock_.power_off(-days(7));
  KeptClock next(clock_, hours(1));
  next.start(saved, {});
  EXPECT_GE(next.now(), stamp);
}

TEST_F(KeptClockTest, ACorrectionIsSavedWithTheNextCommit) {
  clock_.jump_wall(days(1));
  pass(hours(1) + minutes(1));
  ASSERT_EQ(last_.state, State::kCatchingUp);
  kept().saved(kept().save());
  ASSERT_FALSE(kept().due());
  clock_.advance(Micros(1000));
  kept().watch();
  const auto due = kept().due();
  ASSERT_TRUE(due);
  EXPECT_EQ(due->kept, kept().now());
  kept().saved(*due);
  EXPECT_FALSE(kept().due());
  kept().lost();
  EXPECT_TRUE(kept().due());
}

TEST_F(KeptClockTest, GapsAreBoundedAndForgotten) {
  const SystemTime first = kept().now();
  for (size_t i = 0; i < 2 * KeptClock::kMaxGaps; ++i) {
    clock_.jump_wall(minutes(20));
    pass(hours(2));
    ASSERT_EQ(last_.state, State::kFollowing);
  }
  const auto saved = kept().save();
  ASSERT_EQ(saved.gaps.size(), KeptClock::kMaxGaps);
  EXPECT_LE(saved.gaps.front().begin, first + Micros(seconds(10))) << "joined, not dropped";
  kept().forget_gaps(saved.gaps[4].end);
  EXPECT_EQ(kept().save().gaps.size(), KeptClock::kMaxGaps - 5);
}

}  // namespace
}  // namespace eventhorn::store
