#include "delivery/key_order.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace eventhorn::delivery {
namespace {

struct Claim {
  uint64_t of;
  int number;
  bool is_live = true;

  uint64_t key() const { return of; }

  bool live() const { return is_live; }

  friend bool operator==(const Claim& a, const Claim& b) { return a.number == b.number; }
};

bool any(const Claim&) {
  return true;
}

using Order = KeyOrder<Claim>;

// The number of the next ready claim; 0 when there is none.
int next(Order& order) {
  const auto claim = order.take_ready(any);
  return claim ? claim->number : 0;
}

TEST(KeyOrder, OneClaimOfAKeyHasTheTurnAndTheOthersFollowAsTheyCame) {
  Order order;
  EXPECT_TRUE(order.claim({7, 1}));
  EXPECT_FALSE(order.claim({7, 2}));
  EXPECT_TRUE(order.claim({8, 3})) << "another key";
  EXPECT_FALSE(order.claim({7, 4}));
  EXPECT_EQ(next(order), 0);
  EXPECT_EQ(order.end(7)->number, 2);
  EXPECT_EQ(next(order), 2);
  EXPECT_EQ(order.end(7)->number, 4);
  EXPECT_EQ(next(order), 4);
  EXPECT_FALSE(order.end(7));
  EXPECT_FALSE(order.end(8));
  EXPECT_TRUE(order.claim({7, 5})) << "the turn is free again";
}

TEST(KeyOrder, EventsWithoutAKeyHaveNoTurns) {
  Order order;
  order.give_back({0, 1});
  order.give_back({0, 2});
  EXPECT_EQ(next(order), 2);
  EXPECT_FALSE(order.end(0));
  EXPECT_EQ(next(order), 1);
  order.check_invariants();
}

TEST(KeyOrder, LiveClaimsGoBeforeTheBacklogInTheirOwnOrder) {
  Order order;
  EXPECT_TRUE(order.claim({7, 1, false}));
  EXPECT_FALSE(order.claim({7, 2, false}));
  EXPECT_FALSE(order.claim({7, 3, false}));
  EXPECT_FALSE(order.claim({7, 4}));
  EXPECT_FALSE(order.claim({7, 5}));
  EXPECT_FALSE(order.claim({7, 6, false}));
  std::vector<int> numbers;
  while (order.end(7)) numbers.push_back(next(order));
  EXPECT_EQ(numbers, (std::vector<int>{4, 5, 2, 3, 6}));
}

TEST(KeyOrder, WhatIsGivenBackIsReadyBeforeAllOthersAndKeepsItsTurn) {
  Order order;
  EXPECT_TRUE(order.claim({7, 1}));
  EXPECT_FALSE(order.claim({7, 2}));
  EXPECT_TRUE(order.claim({8, 3}));
  EXPECT_FALSE(order.claim({8, 4}));
  EXPECT_TRUE(order.end(8));  // 4 is ready
  order.give_back({7, 1});
  EXPECT_EQ(next(order), 1);
  EXPECT_EQ(next(order), 4);
  EXPECT_EQ(next(order), 0) << "2 waits for 1";
}

TEST(KeyOrder, ReadyClaimsThatMayNotGoStay) {
  Order order;
  order.give_back({0, 1});
  order.give_back({0, 2});
  EXPECT_EQ(order.take_ready([](const Claim& c) { return c.number == 1; })->number, 1);
  EXPECT_FALSE(order.take_ready([](const Claim& c) { return c.number == 1; }));
  EXPECT_TRUE(order.has_ready());
  EXPECT_EQ(next(order), 2);
  EXPECT_FALSE(order.has_ready());
}

TEST(KeyOrder, AJumpAddsATurnAndTheLastOfThemPassesItOn) {
  Order order;
  EXPECT_TRUE(order.claim({7, 1}));
  for (const int number : {2, 3, 4}) EXPECT_FALSE(order.claim({7, number}));
  order.jump({7, 2});
  EXPECT_FALSE(order.end(7)) << "2 still has one";
  EXPECT_EQ(order.end(7)->number, 3);
  order.check_invariants();
}

TEST(KeyOrder, TheQueueOfAClaimThatJumpedMayBeEmpty) {
  Order order;
  EXPECT_TRUE(order.claim({7, 1}));
  EXPECT_FALSE(order.claim({7, 2}));
  order.jump({7, 2});
  order.check_invariants();
  EXPECT_FALSE(order.end(7));
  EXPECT_FALSE(order.end(7));
  EXPECT_EQ(order.size(), 0U);
}

TEST(KeyOrder, WithdrawnClaimsAreGoneAndTheTurnsOfReadyOnesRemain) {
  Order order;
  EXPECT_TRUE(order.claim({7, 1}));
  for (const int number : {2, 3, 4}) EXPECT_FALSE(order.claim({7, number}));
  EXPECT_TRUE(order.end(7));  // 2 is ready
  const auto gone = order.withdraw([](const Claim& c) { return c.number <= 3; });
  ASSERT_EQ(gone.size(), 2U);
  EXPECT_EQ(next(order), 0);
  EXPECT_EQ(order.end(7)->number, 4) << "that of 2 is ended by its owner";
  order.check_invariants();
}

// Against a model: at most one of a key has the turn (nothing jumps here), everything is taken
// once, and of a key in the order of its claims, what is given back apart.
TEST(KeyOrder, EachClaimGoesOnceInTheOrderOfItsKey) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 100; ++round) {
    Order order;
    std::map<uint64_t, std::set<int>> open;  // by key: claimed and not done
    std::vector<Claim> out;                  // with their owner, having the turn
    int number = 0;
    for (int step = 0; step < 400; ++step) {
      const uint64_t key = 1 + random() % 5;
      if (step < 200 && random() % 2 == 0) {
        const Claim claim{key, ++number};
        const bool has_turn = order.claim(claim);
        EXPECT_EQ(has_turn, open[key].empty());
        open[key].insert(number);
        if (has_turn) out.push_back(claim);
      }
      if (const auto claim = order.take_ready(any)) out.push_back(*claim);
      if (!out.empty() && random() % 2 == 0) {
        const auto at = out.begin() + static_cast<std::ptrdiff_t>(random() % out.size());
        const Claim claim = *at;
        EXPECT_EQ(claim.number, *open[claim.of].begin());
        out.erase(at);
        if (random() % 4 == 0) {
          order.give_back(claim);
        } else {
          open[claim.of].erase(claim.number);
          (void)order.end(claim.of);
        }
      }
      order.check_invariants();
    }
    while (!out.empty() || order.has_ready()) {
      if (const auto claim = order.take_ready(any)) out.push_back(*claim);
      open[out.back().of].erase(out.back().number);
      (void)order.end(out.back().of);
      out.pop_back();
    }
    for (const auto& [key, numbers] : open) EXPECT_TRUE(numbers.empty());
    EXPECT_EQ(order.size(), 0U);
  }
}

}  // namespace
}  // namespace eventhorn::delivery
