#include "store/rocks/retention.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

SystemTime at(int64_t second) {
  return from_micros(kBaseUs + second * 1'000'000);
}

constexpr int64_t kWeek = 7 * 24 * 3600;

class RetentionTest : public TableTest {
 protected:
  RetentionTest() { kept.start(std::nullopt, at(0)); }

  // Event i was committed in second i.
  void put_events(uint64_t count) {
    write([&](auto& batch) {
      for (uint64_t i = 1; i <= count; ++i)
        EXPECT_TRUE(log.put({i}, make_event("e"), at(static_cast<int64_t>(i)), batch));
    });
  }

  uint64_t expire(int64_t events_second, Position head, Position indexed) {
    return expect(retention.expire(at(events_second), at(0), head, indexed));
  }

  FakeClock clock;
  KeptClock kept{clock, std::chrono::hours(1)};
  LogTable log{database};
  FloorTable table{database};
  NumberTable numbers{database};
  ClockTable clock_table{database};
  Wal wal{database, dir.path()};
  ClockKeeper keeper{kept, clock_table, wal};
  Retention retention{floors, {database, log, table, numbers, kept, keeper}};
};

TEST_F(RetentionTest, DropsWhatIsOldAndNotesHowFarItCame) {
  put_events(10);
  EXPECT_EQ(expire(5, {10}, {10}), 5U);
  EXPECT_EQ(retention.floor(), Position{5});
  EXPECT_EQ(count(Family::kLog), 6U);
  EXPECT_TRUE(*clock_table.load()) << "the clock must not fall behind what it dropped by";
  EXPECT_EQ(expire(4, {10}, {10}), 0U) << "a floor never falls";
  EXPECT_EQ(retention.floor(), Position{5});
  const auto fresh = std::make_shared<Floors>();
  Retention again(fresh, {database, log, table, numbers, kept, keeper});
  EXPECT_TRUE(again.load());
  EXPECT_EQ(again.floor(), Position{5});
}

TEST_F(RetentionTest, WhatIsNotIndexedStays) {
  put_events(10);
  EXPECT_EQ(expire(100, {10}, {3}), 4U);
  EXPECT_EQ(retention.floor(), Position{4});
  EXPECT_EQ(expire(100, {10}, {10}), 7U);
  EXPECT_EQ(count(Family::kLog), 0U);
}

TEST_F(RetentionTest, IdsAndClassesGoAWeekLater) {
  put_events(10);
  EXPECT_EQ(expire(5, {10}, {10}), 5U);
  EXPECT_EQ(floors->ids, 0U);
  EXPECT_EQ(expire(5 + kWeek, {10}, {10}), 6U);
  EXPECT_EQ(floors->ids, 5U);
  EXPECT_EQ(floors->classes, 5U);
  EXPECT_EQ(*numbers.load(NumberTable::kClassesFloor), 5U);
}

// C9: version 1 dropped these rows with their events, and noted no floor of theirs.
TEST_F(RetentionTest, C9AStoreOfVersion1HasTheClassesOfItsEvents) {
  write([&](auto& batch) { table.put(at(1), {7}, batch); });
  EXPECT_TRUE(retention.load());
  EXPECT_EQ(floors->classes, 7U);
  EXPECT_EQ(*numbers.load(NumberTable::kClassesFloor), 7U);
}

}  // namespace
}  // namespace eventhorn::store
