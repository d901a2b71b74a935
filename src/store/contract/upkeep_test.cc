// Retention: what it drops, and what outlives it.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

TEST_P(StoreContract, ExpireDropsByCommitTimeNotByTheEventsOwn) {
  const Position old = append_one(make_event("old", kBaseUs + 999'000'000));
  engine_->clock.advance(std::chrono::hours(2));
  const Position fresh = append_one(make_event("fresh", kBaseUs - 999'000'000));
  engine_->index_now();
  const auto dropped = store().expire(engine_->clock.now() - std::chrono::hours(1), {});
  ASSERT_TRUE(dropped);
  EXPECT_GE(*dropped, 1U);
  EXPECT_EQ(*store().expire(engine_->clock.now() - std::chrono::hours(1), {}), 0U);
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    EXPECT_EQ(read_pages(page_query()), Ids{"fresh"});
    EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)), Ids{"fresh"});
    EXPECT_EQ(ids_of(*store().read_events({old, fresh})), (Ids{"null", "fresh"}));
    EXPECT_EQ(store().read_heads(kNoPosition, 10)->size(), 1U);
  }
}

// Retention runs every hour or so; it must not shorten the life of ids by looking at a log that
// holds nothing older.
TEST_P(StoreContract, IdsOutliveTheirEventsBySevenDays) {
  append_one(make_event("old"));
  engine_->index_now();
  for (int hour = 0; hour < 30; ++hour) {
    engine_->clock.advance(std::chrono::hours(5));
    append_one(make_event("e" + std::to_string(hour)));
    engine_->index_now();
    ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
    engine_->compact();
    if (hour == 15) engine_->reopen();
    EXPECT_EQ(read_pages(page_query()).size(), 1U);
    EXPECT_EQ(append({make_event("old")}), (std::vector{Outcome::kDuplicate}))
        << "after hours: " << 5 * (hour + 1);
  }
  engine_->clock.advance(std::chrono::hours(24));
  ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
  engine_->compact();
  EXPECT_EQ(append({make_event("old")}), (std::vector{Outcome::kStored}));
}

// A missed event whose event is long gone is of no use to anyone.
TEST_P(StoreContract, MissedRowsOutliveTheirEventsBySevenDays) {
  Progress p;
  const Position old = append_one(make_event("old"));
  p.exceptions = {exception_row({5}, old, true), exception_row({6}, old, false)};
  engine_->clock.advance(std::chrono::hours(2));
  p.exceptions.push_back(exception_row({5}, append_one(make_event("e")), true));
  save(p);
  engine_->index_now();
  const auto run = [&](int hours) {
    engine_->clock.advance(std::chrono::hours(hours));
    ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(24), {}));
    engine_->compact();
  };
  run(23);
  EXPECT_EQ(load().missed, 2U);
  run(24 * 6);
  EXPECT_EQ(load().missed, 2U);
  append_one(make_event("later"));
  run(24 * 2);
  EXPECT_EQ(load().missed, 1U);
  EXPECT_EQ(load().waiting.size(), 1U) << "its lane ends it";
}

// Positions are never given twice: lanes and the index would take the second event for settled.
TEST_P(StoreContract, PositionsDoNotGoBackWhenEverythingExpired) {
  append({make_event("a"), make_event("b")});
  engine_->index_now();
  const Position head = store().head();
  engine_->clock.advance(std::chrono::hours(2));
  ASSERT_TRUE(store().expire(engine_->clock.now(), {}));
  EXPECT_EQ(read_pages(page_query()), Ids{});
  engine_->reopen();
  EXPECT_GE(store().head(), head);
  EXPECT_GT(append_one(make_event("c")), head);
  engine_->reopen();
  EXPECT_EQ(read_pages(page_query()), Ids{"c"});
  EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)), Ids{"c"});
}

}  // namespace
}  // namespace eventhorn::store
