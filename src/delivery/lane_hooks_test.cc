#include "delivery/lane_hooks.h"

#include <gtest/gtest.h>

namespace eventhorn::delivery {
namespace {

using webhook::Hook;

Since since_of(Hook hook, uint64_t position) {
  Since out;
  out[static_cast<size_t>(hook)] = Position{position};
  return out;
}

TEST(LaneHooks, WantWhatComesAfterTheirBegin) {
  LaneHooks hooks;
  EXPECT_EQ(hooks.subscribe(since_of(Hook::kOpened, 10)), Since());
  EXPECT_FALSE(hooks.wants(Hook::kOpened, {10}));
  EXPECT_TRUE(hooks.wants(Hook::kOpened, {11}));
  EXPECT_FALSE(hooks.wants(Hook::kClicked, {11}));
}

TEST(LaneHooks, AReplayTakesWhatTheyNameNowWhateverTheirBegin) {
  LaneHooks hooks;
  (void)hooks.subscribe(since_of(Hook::kOpened, 10));
  EXPECT_TRUE(hooks.wants_replayed(Hook::kOpened));
  EXPECT_FALSE(hooks.wants_replayed(Hook::kClicked));
  EXPECT_EQ(hooks.since_of_replay(), since_of(Hook::kOpened, 0));
}

TEST(LaneHooks, WantARetryThatWasSavedUnlessItsHookBeganAnewSince) {
  LaneHooks hooks;
  EXPECT_FALSE(hooks.wants_saved(Hook::kOpened, Position{10}));
  (void)hooks.subscribe(since_of(Hook::kOpened, 10));
  EXPECT_TRUE(hooks.wants_saved(Hook::kOpened, Position{10}));
  EXPECT_FALSE(hooks.wants_saved(Hook::kOpened, Position{9}));
  EXPECT_TRUE(hooks.wants_saved(Hook::kOpened, std::nullopt)) << "a row of an older version";
  EXPECT_FALSE(hooks.wants_saved(Hook::kClicked, std::nullopt));
}

TEST(LaneHooks, TellWhichEndedAndHowOften) {
  LaneHooks hooks;
  (void)hooks.subscribe(since_of(Hook::kOpened, 10));
  EXPECT_EQ(hooks.subscribe(since_of(Hook::kOpened, 10)), Since()) << "the same";
  EXPECT_EQ(hooks.life(Hook::kOpened), 0U);
  EXPECT_EQ(hooks.subscribe(since_of(Hook::kOpened, 20)), since_of(Hook::kOpened, 10)) << "anew";
  EXPECT_EQ(hooks.subscribe({}), since_of(Hook::kOpened, 20)) << "removed";
  EXPECT_EQ(hooks.life(Hook::kOpened), 2U);
  EXPECT_EQ(hooks.subscribe(since_of(Hook::kOpened, 30)), Since()) << "added";
  EXPECT_EQ(hooks.life(Hook::kClicked), 0U);
}

}  // namespace
}  // namespace eventhorn::delivery
