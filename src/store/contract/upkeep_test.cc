// Retention: what it drops, and what outlives it.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <random>
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

TEST_P(StoreContract, ACutToBytesLeavesTheNewest) {
  std::mt19937 random(1);  // no two bytes alike, which would compress
  std::vector<Position> positions;
  for (int i = 0; i < 300; ++i) {
    auto event = make_event("e" + std::to_string(i));
    for (int n = 0; n < 1000; ++n) event.event.bytes += static_cast<char>('!' + random() % 90);
    positions.push_back(append_one(std::move(event)));
    engine_->clock.advance(std::chrono::seconds(1));
  }
  engine_->index_now();
  EXPECT_EQ(*store().cut_to_bytes(uint64_t{1} << 40), SystemTime());
  const auto half = *store().cut_to_bytes(150 * 1000);
  const auto quarter = *store().cut_to_bytes(75 * 1000);
  EXPECT_LT(half, quarter);
  EXPECT_LT(quarter, engine_->clock.now());
  ASSERT_TRUE(store().expire(half, {}));
  const auto kept = store().read_heads(kNoPosition, 1000)->size();
  EXPECT_GE(kept, 80U);
  EXPECT_LE(kept, 250U);
  EXPECT_TRUE(store().read_events({positions.back()})->front());
  EXPECT_FALSE(store().read_events({positions.front()})->front());
  const auto again = *store().cut_to_bytes(150 * 1000);
  EXPECT_TRUE(again == SystemTime() || again <= half + std::chrono::seconds(40)) << "it is enough";
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

// A time before the epoch is before everything that was dropped.
TEST_P(StoreContract, ARetentionOfCenturiesForgetsNothing) {
  append_one(make_event("old"));
  engine_->clock.advance(std::chrono::hours(2));
  engine_->index_now();
  ASSERT_TRUE(store().expire(engine_->clock.now(), {}));
  ASSERT_TRUE(store().expire(SystemTime(), SystemTime()));
  engine_->compact();
  EXPECT_EQ(append({make_event("old")}), (std::vector{Outcome::kDuplicate}));
}

// C5: nothing of a commit that failed is seen before a recovery finds it.
TEST_P(StoreContract, C5AFailedCommitIsSeenOnlyOnceItIsRecovered) {
  append_one(make_event("before"));
  const Position head = store().head();
  engine_->fail_one_sync();
  WriteSet set;
  set.appends.push_back({make_event("a"), Outcome::kStored, nullptr});
  set.edits.push_back({"a.test", [](const DomainPtr&, Position at) -> Result<DomainPtr> {
                         auto d = std::make_shared<Domain>();
                         d->uid = {at.value};
                         d->name = "a.test";
                         return DomainPtr(d);
                       }});
  const auto status = store().commit(set);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kUnavailable);
  EXPECT_TRUE(store().failed());
  EXPECT_EQ(store().head(), head);
  EXPECT_EQ(store().read_heads(kNoPosition, 9)->size(), 1U);
  EXPECT_EQ(store().read_events({just_after(head)})->front(), nullptr);
  EXPECT_EQ(store().find_events(kDomain, {"a"})->front(), kNoPosition);
  EXPECT_EQ(store().load_domains()->size(), 0U);
  EXPECT_EQ(*store().position_before(engine_->clock.now() + std::chrono::hours(1)), head);
  EXPECT_EQ(read_pages(page_query()), Ids{"before"});
  EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)), Ids{"before"});

  ASSERT_TRUE(store().recover());
  EXPECT_FALSE(store().failed());
  EXPECT_GT(store().head(), head);
  EXPECT_EQ(read_pages(page_query()), (Ids{"a", "before"}));
  EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)), (Ids{"before", "a"}));
  EXPECT_EQ(store().load_domains()->size(), 1U);
  engine_->cut_power();
  EXPECT_EQ(read_pages(page_query()), (Ids{"a", "before"})) << "what was found is durable";
  EXPECT_EQ(append({make_event("a")}), (std::vector{Outcome::kDuplicate}));
}

// C5: a store that failed takes no write, by whatever member, before it is recovered.
TEST_P(StoreContract, C5AFailedStoreTakesNoWrite) {
  Progress progress;
  progress.settled_lanes = {{5}};
  const Progress* const one[] = {&progress};
  const SlotMark mark{SlotSet::all(), {10}};
  const auto status = [](const auto& result) { return result ? Status() : fail(result.error()); };
  const std::vector<std::function<Status()>> writes = {
      [&] {
        WriteSet set;
        set.appends.push_back({make_event("a"), Outcome::kStored, nullptr});
        return store().commit(set);
      },
      [&] { return store().flush(); },
      [&] { return store().replace_marks({&mark, 1}); },
      [&] { return status(store().expire({}, {})); },
      [&] { return store().save_value("k", "v"); },
      [&] { return store().remove_value("k"); },
      // These do not wait for the disk.
      [&] { return status(store().save(one)); },
      [&] { return store().save_values({{"k", "v"}}); },
  };
  constexpr size_t kSyncing = 6;
  for (size_t i = 0; i < kSyncing; ++i) {
    EXPECT_FALSE(store().failed());
    engine_->fail_one_sync();
    EXPECT_FALSE(writes[i]()) << i;
    EXPECT_TRUE(store().failed()) << i;
    for (const auto& write : writes) {
      const auto refused = write();
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Errc::kUnavailable);
    }
    EXPECT_TRUE(store().load_value("k")) << "reads go on";
    ASSERT_TRUE(store().recover());
  }
  for (const auto& write : writes) EXPECT_TRUE(write());
}

// C13: the kept clock never falls, though its row was lost with what was not synced.
TEST_P(StoreContract, C13StampsDoNotFallAfterALostSave) {
  append_one(make_event("a"));
  engine_->clock.advance(std::chrono::milliseconds(1100));
  AttemptRow attempt;
  attempt.lane = {5};
  attempt.attempt = 2;
  attempt.written = engine_->clock.now();
  Progress p;
  p.attempts = {attempt};
  save(p);  // with the clock's row
  engine_->fail_one_sync();
  EXPECT_FALSE(store().flush());
  ASSERT_TRUE(store().recover());
  engine_->clock.advance(std::chrono::milliseconds(900));
  append_one(make_event("b"));
  const SystemTime stamp = store().read_events({store().head()})->front()->committed;
  engine_->clock.power_off(std::chrono::milliseconds(0));
  engine_->cut_power();
  EXPECT_GE(store().kept_clock().now(), stamp);
}

}  // namespace
}  // namespace eventhorn::store
