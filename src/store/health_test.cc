#include "store/health.h"

#include "store/upkeep_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

struct Health {
  Health() {
    health.on_change([this] { ++changes; });
    health.start();
  }

  static WriterOptions options() {
    WriterOptions out;
    out.min_free_bytes = 100;
    out.recover_interval = std::chrono::seconds(1);
    return out;
  }

  int changes = 0;
  FakeUpkeep store;
  FakeClock clock;
  StoreHealth health{store, clock, options()};
};

const Error kError(Errc::kUnavailable, "no space");

Status nothing_left() {
  return {};
}

TEST(StoreHealth, AppendsAreTakenFromTheStartOn) {
  FakeUpkeep store;
  const FakeClock clock;
  StoreHealth health(store, clock, {});
  EXPECT_FALSE(health.status());
  EXPECT_TRUE(health.good());
  health.start();
  EXPECT_TRUE(health.status());
}

TEST(StoreHealth, AFailureHoldsUntilTheStoreHasRecovered) {
  Health h;
  h.health.failed(0, kError);
  EXPECT_FALSE(h.health.good());
  EXPECT_FALSE(h.health.status());
  EXPECT_EQ(h.health.generation(), 0U);
  EXPECT_EQ(h.changes, 1);
  h.health.failed(0, kError);
  EXPECT_EQ(h.changes, 1) << "it has failed already";
  EXPECT_TRUE(h.health.recover(nothing_left));
  EXPECT_TRUE(h.health.status());
  EXPECT_EQ(h.health.generation(), 1U);
  EXPECT_EQ(h.changes, 2);
}

TEST(StoreHealth, AnErrorOfAnOlderGenerationIsNoFailure) {
  Health h;
  h.health.failed(0, kError);
  EXPECT_TRUE(h.health.recover(nothing_left));
  h.health.failed(0, kError);
  EXPECT_TRUE(h.health.good());
  h.health.failed(1, kError);
  EXPECT_FALSE(h.health.good());
}

TEST(StoreHealth, ARecoveryThatFailsLeavesItFailed) {
  Health h;
  h.health.failed(0, kError);
  h.store.recovery = fail(Errc::kUnavailable, "still no space");
  int handed_over = 0;
  const auto hand_over = [&]() -> Status {
    EXPECT_FALSE(h.health.good()) << "others write only after the hand-over";
    ++handed_over;
    return fail(Errc::kUnavailable, "cannot read");
  };
  EXPECT_EQ(h.health.recover(hand_over).error().message, "still no space");
  EXPECT_EQ(handed_over, 0);
  h.store.recovery = {};
  EXPECT_EQ(h.health.recover(hand_over).error().message, "cannot read");
  EXPECT_EQ(handed_over, 1);
  EXPECT_FALSE(h.health.good());
  EXPECT_EQ(h.health.generation(), 0U);
  EXPECT_EQ(h.changes, 1);
}

TEST(StoreHealth, AWriteOfOthersThatFailedIsSeen) {
  Health h;
  h.store.has_failed = true;
  h.health.look();
  EXPECT_FALSE(h.health.good());
}

TEST(StoreHealth, FreeSpaceIsLookedAtNowAndThen) {
  Health h;
  h.store.free = 99;
  h.health.look();
  EXPECT_FALSE(h.health.status());
  EXPECT_TRUE(h.health.good()) << "edits and progress are taken";
  h.store.free = 100;
  h.clock.advance(std::chrono::milliseconds(999));
  h.health.look();
  EXPECT_FALSE(h.health.status());
  h.clock.advance(std::chrono::milliseconds(1));
  h.health.look();
  EXPECT_TRUE(h.health.status());
}

TEST(StoreHealth, AppendsWaitForTheIndexes) {
  Health h;
  h.store.room = fail(Errc::kUnavailable, "the indexes are behind");
  EXPECT_TRUE(h.health.status()) << "nobody has looked";
  h.health.look();
  EXPECT_EQ(h.health.status().error().message, "the indexes are behind");
  h.store.room = {};
  EXPECT_TRUE(h.health.status()) << "asked each time while they are";
  h.health.look();
  EXPECT_TRUE(h.health.status());
}

}  // namespace
}  // namespace eventhorn::store
