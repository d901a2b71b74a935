#include "api/key_shares.h"

#include <gtest/gtest.h>

#include <utility>

namespace eventhorn::api {
namespace {

TEST(KeyShares, EachKeyHasItsOwn) {
  auto open = metrics::gauge("eventhorn_test_shares", "For a test");
  KeyShares shares(2, open);
  {
    auto first = shares.take("a");
    const auto second = shares.take("a");
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(shares.take("a"));
    EXPECT_TRUE(shares.take("b"));
    EXPECT_EQ(open.value(), 2);
    const auto moved = std::move(*first);
    first.reset();
    EXPECT_FALSE(shares.take("a")) << "a place that was moved is one place";
  }
  EXPECT_EQ(open.value(), 0);
  EXPECT_TRUE(shares.take("a"));
}

}  // namespace
}  // namespace eventhorn::api
