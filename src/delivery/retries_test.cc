#include "delivery/retries.h"

#include <gtest/gtest.h>

#include <vector>

namespace eventhorn::delivery {
namespace {

using std::chrono::minutes;

const SteadyTime kNow{std::chrono::hours(1)};

Waiting until(SteadyTime due, uint16_t attempts = 1) {
  return {attempts, {}, {}, 500, webhook::Hook::kDelivered, due};
}

// The position of what is due; 0 when nothing is.
uint64_t due(Retries& retries, SteadyTime now = kNow) {
  const auto* retry = retries.take_due(now);
  return retry == nullptr ? 0 : retry->first.value;
}

uint64_t oldest(Retries& retries, SteadyTime now = kNow) {
  const auto* retry = retries.take_oldest(now);
  return retry == nullptr ? 0 : retry->first.value;
}

TEST(Retries, AreTakenWhenTheirTimeHasComeAndOnceEach) {
  Retries retries;
  retries.wait({1}, until(kNow));
  retries.wait({2}, until(kNow + minutes(1)));
  EXPECT_FALSE(retries.may_have_due()) << "nobody said so";
  retries.due({1}, kNow);
  retries.due({1}, kNow);
  retries.due({2}, kNow);
  retries.due({3}, kNow);
  EXPECT_EQ(due(retries), 1U);
  EXPECT_TRUE(retries.find({1})->in_flight);
  EXPECT_EQ(due(retries), 0U);
  retries.due({2}, kNow + minutes(1));
  EXPECT_EQ(due(retries, kNow + minutes(1)), 2U);
}

TEST(Retries, ThatArePutOffAreNotTakenEarly) {
  Retries retries;
  retries.wait({1}, until(kNow));
  retries.due({1}, kNow);
  retries.due({1}, kNow);
  EXPECT_EQ(due(retries), 1U);
  retries.settle({1});
  retries.wait({1}, until(kNow + minutes(5), 2));
  EXPECT_TRUE(retries.may_have_due());
  EXPECT_EQ(due(retries), 0U) << "the second word was for the attempt before";
  EXPECT_EQ(retries.find({1})->attempts, 2);
}

TEST(Retries, ThatEndAreForgottenInAnyState) {
  Retries retries;
  for (const uint64_t i : {1, 2}) retries.wait({i}, until(kNow));
  retries.due({1}, kNow);
  retries.due({2}, kNow);
  EXPECT_EQ(due(retries), 1U);
  retries.end({1});
  retries.end({2});
  EXPECT_EQ(due(retries), 0U);
  retries.settle({1});
  retries.give_back({1});
  EXPECT_EQ(due(retries), 0U);
  EXPECT_TRUE(retries.all().empty());
}

TEST(Retries, GivenBackAreDueAtOnceThoughTheyWerePutOffForGood) {
  Retries retries;
  retries.wait({1}, until(SteadyTime::max()));
  EXPECT_EQ(oldest(retries), 1U);
  retries.give_back({1});
  EXPECT_EQ(due(retries), 1U);
}

TEST(Retries, NothingIsDueAfterItWasForgotten) {
  Retries retries;
  retries.wait({1}, until(kNow));
  retries.due({1}, kNow);
  retries.forget_due();
  EXPECT_FALSE(retries.may_have_due());
  EXPECT_EQ(due(retries), 0U);
  retries.due({1}, kNow);
  EXPECT_EQ(due(retries), 1U);
}

TEST(Retries, ProbesTakeWhatWasTriedLongestAgo) {
  Retries retries;
  for (const uint64_t i : {3, 1, 2}) retries.wait({i}, until(SteadyTime::max()));
  retries.find({3})->read_due = kNow + minutes(1);  // a read of it failed
  std::vector<uint64_t> order;
  for (int i = 0; i < 4; ++i) {
    order.push_back(oldest(retries));
    retries.settle({order.back()});
    retries.wait({order.back()}, until(SteadyTime::max()));
  }
  EXPECT_EQ(order, (std::vector<uint64_t>{1, 2, 1, 2}));
  EXPECT_EQ(oldest(retries, kNow + minutes(1)), 3U);
  EXPECT_EQ(oldest(retries), 1U);
  EXPECT_EQ(oldest(retries), 2U);
  EXPECT_EQ(oldest(retries), 0U) << "all are in flight";
}

}  // namespace
}  // namespace eventhorn::delivery
