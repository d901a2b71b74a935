#include "delivery/budget.h"

#include <gtest/gtest.h>

namespace eventhorn::delivery {
namespace {

using Answer = Budget::Answer;

size_t take_all(Budget& budget, Standing standing, size_t held_by_each) {
  size_t taken = 0;
  while (budget.ask(standing, held_by_each) == Answer::kYes) {
    budget.take(standing);
    ++taken;
  }
  return taken;
}

TEST(Budget, DoubtfulOnesLeaveRoomForTheWell) {
  Budget budget(100);
  EXPECT_EQ(take_all(budget, Standing::kSuspect, 0), 50U);
  EXPECT_EQ(take_all(budget, Standing::kUnknown, 0), 25U);
  EXPECT_EQ(budget.ask(Standing::kUnknown, 0), Answer::kFull);
  EXPECT_EQ(take_all(budget, Standing::kWell, 0), 25U);
  EXPECT_EQ(budget.ask(Standing::kWell, 0), Answer::kFull);
  for (int i = 0; i < 50; ++i) budget.release(Standing::kSuspect);
  EXPECT_EQ(budget.taken(), 50U);
  EXPECT_EQ(take_all(budget, Standing::kSuspect, 0), 50U) << "the others are unknown or well";
}

TEST(Budget, NobodyTakesAllOfWhatIsLeft) {
  Budget budget(100);
  size_t held = 0;
  while (budget.ask(Standing::kWell, held) == Answer::kYes) {
    budget.take(Standing::kWell);
    ++held;
  }
  EXPECT_EQ(held, 50U);
  EXPECT_EQ(budget.ask(Standing::kWell, held), Answer::kOwnShare);
  EXPECT_EQ(budget.ask(Standing::kWell, 0), Answer::kYes);
  EXPECT_EQ(budget.ask(Standing::kUnknown, 1), Answer::kOwnShare);
  EXPECT_EQ(budget.ask(Standing::kUnknown, 0), Answer::kYes);
}

TEST(Budget, OnePlaceIsForAll) {
  for (const auto standing : {Standing::kWell, Standing::kUnknown, Standing::kSuspect}) {
    Budget budget(1);
    EXPECT_EQ(budget.ask(standing, 0), Answer::kYes);
    budget.take(standing);
    EXPECT_EQ(budget.ask(standing, 0), Answer::kFull);
    budget.release(standing);
    EXPECT_EQ(budget.taken(), 0U);
  }
}

}  // namespace
}  // namespace eventhorn::delivery
