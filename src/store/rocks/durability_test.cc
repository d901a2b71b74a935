#include "store/rocks/durability.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

TEST(Durability, ASaveIsDurableOnceASyncThatBeganBehindItHasEnded) {
  Durability durability;
  const auto first = durability.saved();
  const auto before = durability.saves();
  const auto second = durability.saved();
  EXPECT_FALSE(durability.durable(first));
  durability.synced({1, 10}, before);
  EXPECT_TRUE(durability.durable(first));
  EXPECT_FALSE(durability.durable(second)) << "it was written while the sync was under way";
  durability.synced({1, 20}, durability.saves());
  EXPECT_TRUE(durability.durable(second));
}

TEST(Durability, ASyncThatEndsLateTakesNothingBack) {
  Durability durability;
  const auto token = durability.saved();
  durability.synced({2, 5}, durability.saves());
  durability.synced({1, 90}, 0);
  EXPECT_TRUE(durability.durable(token));
  EXPECT_EQ(durability.place(), (WalPlace{2, 5}));
}

TEST(Durability, ReopeningMayHaveLostASave) {
  Durability durability;
  const auto synced = durability.saved();
  durability.synced({1, 10}, durability.saves());
  const auto lost = durability.saved();
  durability.opened({2, 0});
  EXPECT_EQ(durability.place(), (WalPlace{2, 0}));
  EXPECT_FALSE(durability.durable(synced)) << "nothing is promised for saves of before";
  EXPECT_FALSE(durability.durable(lost));
  durability.synced({2, 1}, durability.saves());
  EXPECT_FALSE(durability.durable(lost)) << "a later sync does not bring it back";
  const auto again = durability.saved();
  EXPECT_GT(again, lost);
  durability.synced({2, 9}, durability.saves());
  EXPECT_TRUE(durability.durable(again));
}

}  // namespace
}  // namespace eventhorn::store
