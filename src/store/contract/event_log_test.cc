// Appends, and what is found by position, by id and by time.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

TEST_P(StoreContract, KeepsEveryFieldOfAnEvent) {
  auto e = make_event("a", kBaseUs + 5, event::Name::kFailed, kOtherDomain);
  e.push = false;
  const auto set = commit({e});
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    const auto read = store().read_events({set.appends[0].stored->position});
    ASSERT_TRUE(read && read->size() == 1 && read->front());
    for (const auto& got : {read->front(), set.appends[0].stored}) {
      EXPECT_EQ(got->domain, kOtherDomain);
      EXPECT_EQ(got->shard, e.shard);
      EXPECT_FALSE(got->push);
      EXPECT_EQ(got->committed, engine_->clock.now());
      EXPECT_EQ(got->event.id, "a");
      EXPECT_EQ(got->event.timestamp_us, kBaseUs + 5);
      EXPECT_EQ(got->event.name, event::Name::kFailed);
      EXPECT_EQ(got->event.severity, event::Severity::kTemporary);
      EXPECT_EQ(got->event.order_key, 0xfeedU);
      EXPECT_EQ(got->event.bytes, e.event.bytes);
    }
  }
}

// L8: an id is stored once, wherever its original is.
TEST_P(StoreContract, L8AnIdIsStoredOnce) {
  auto changed = make_event("a");
  changed.event.bytes = "{}";
  const std::vector<Outcome> again = {Outcome::kDuplicate, Outcome::kConflicting,
                                      Outcome::kDuplicate, Outcome::kConflicting};
  EXPECT_EQ(append({make_event("a"), make_event("a"), changed, make_event("b")}),
            (std::vector{Outcome::kStored, Outcome::kDuplicate, Outcome::kConflicting,
                         Outcome::kStored}));
  const Position head = store().head();
  EXPECT_EQ(append({make_event("a"), changed, make_event("a"), changed}), again) << "in memory";
  engine_->index_now();
  EXPECT_EQ(append({make_event("a"), changed, make_event("a"), changed}), again) << "in the index";
  EXPECT_EQ(append({changed, make_event("a"), changed, make_event("a")}),
            (std::vector{Outcome::kConflicting, Outcome::kDuplicate, Outcome::kConflicting,
                         Outcome::kDuplicate}));
  engine_->reopen();
  EXPECT_EQ(append({make_event("a"), changed, make_event("a"), changed}), again)
      << "after a restart";
  EXPECT_EQ(store().head(), head);
  EXPECT_EQ(read_pages(page_query()), (Ids{"a", "b"}));
}

TEST_P(StoreContract, IdsBelongToTheirDomain) {
  append({make_event("a")});
  EXPECT_EQ(append({make_event("a", kBaseUs, event::Name::kDelivered, kOtherDomain)}),
            (std::vector{Outcome::kStored}));
  engine_->index_now();
  auto q = page_query();
  EXPECT_EQ(read_pages(q), Ids{"a"});
  q.domain = kOtherDomain;
  EXPECT_EQ(read_pages(q), Ids{"a"});
  q.domain = {99};
  EXPECT_EQ(read_pages(q), Ids{});
  auto lane = lane_query(webhook::Class::kNormal);
  lane.domain = {99};
  EXPECT_EQ(read_lane(lane), Ids{});
}

TEST_P(StoreContract, PositionsRiseAndTheHeadIsTheLast) {
  EXPECT_EQ(store().head(), kNoPosition);
  Position last = kNoPosition;
  for (int round = 0; round < 4; ++round) {
    const auto set =
        commit({make_event("a" + std::to_string(round)), make_event("b" + std::to_string(round))});
    for (const auto& a : set.appends) {
      EXPECT_GT(a.stored->position, last);
      last = a.stored->position;
    }
    EXPECT_EQ(store().head(), last);
    if (round == 1) engine_->index_now();
    engine_->reopen();
    EXPECT_EQ(store().head(), last);
  }
}

TEST_P(StoreContract, HeadsComeInLogOrder) {
  const auto events = mixed_events(25, 1);
  fill(events, Place::kBoth);
  Position after = kNoPosition;
  size_t seen = 0;
  for (;;) {
    const auto heads = store().read_heads(after, 7);
    ASSERT_TRUE(heads);
    EXPECT_LE(heads->size(), 7U);
    if (heads->empty()) break;
    for (const auto& h : *heads) {
      EXPECT_GT(h.position, after);
      after = h.position;
      const auto& e = events.at(seen++);
      EXPECT_EQ(h.domain, e.domain);
      EXPECT_EQ(h.push, e.push);
      EXPECT_EQ(h.name, e.event.name);
      EXPECT_EQ(h.severity, e.event.severity);
    }
  }
  EXPECT_EQ(seen, events.size());
}

TEST_P(StoreContract, EventsAreFoundByTheirIds) {
  for (const Place place : kPlaces) {
    std::vector<NewEvent> events;
    for (int i = 0; i < 30; ++i) events.push_back(make_event("e" + std::to_string(i)));
    events.push_back(make_event("e7", kBaseUs, event::Name::kOpened, kOtherDomain));
    fill(events, place);
    const auto found = store().find_events(kDomain, {"e29", "nobody", "e7", "e0", "e7"});
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 5U);
    EXPECT_EQ(found->at(1), kNoPosition);
    EXPECT_EQ(ids_of(*store().read_events(*found)), (Ids{"e29", "null", "e7", "e0", "e7"}));
    const auto other = store().find_events(kOtherDomain, {"e7", "e8"});
    ASSERT_TRUE(other);
    EXPECT_GT(other->at(0), found->at(0));
    EXPECT_EQ(other->at(1), kNoPosition);
  }
}

TEST_P(StoreContract, UnknownPositionsAreNull) {
  const Position a = append_one(make_event("a"));
  const Position b = append_one(make_event("b"));
  EXPECT_EQ(ids_of(*store().read_events({b, {b.value + 1'000'000}, a, kNoPosition, b})),
            (Ids{"b", "null", "a", "null", "b"}));
  EXPECT_EQ(store().read_events({})->size(), 0U);
  std::vector<Position> run;
  for (uint64_t p = 0; p < b.value + 20; ++p) run.push_back({p});
  const auto got = store().read_events(run);
  ASSERT_EQ(got->size(), run.size());
  EXPECT_EQ(std::count(got->begin(), got->end(), nullptr),
            static_cast<std::ptrdiff_t>(run.size() - 2));
}

TEST_P(StoreContract, PositionsAreFoundByTime) {
  const SystemTime start = engine_->clock.now();
  EXPECT_EQ(*store().position_before(start), kNoPosition);
  std::vector<Position> positions;
  for (int i = 0; i < 20; ++i) {
    positions.push_back(append_one(make_event("e" + std::to_string(i))));
    if (i % 2 == 1) engine_->clock.advance(std::chrono::seconds(10));
    if (i == 9)
      ASSERT_TRUE(edit(
          "a.test", [](const DomainPtr&, Position) -> Result<DomainPtr> { return DomainPtr(); }));
  }
  engine_->index_now();
  EXPECT_EQ(*store().position_before(start), kNoPosition);
  for (int pair = 0; pair < 10; ++pair) {
    const SystemTime at = start + std::chrono::seconds(10 * pair);
    EXPECT_EQ(*store().position_before(at + Micros(1)), positions[2 * pair + 1]);
    EXPECT_EQ(*store().position_before(at + std::chrono::seconds(10)), positions[2 * pair + 1]);
  }
  EXPECT_GE(*store().position_before(engine_->clock.now()), positions.back());
  ASSERT_TRUE(store().expire(start + std::chrono::seconds(45), {}));
  EXPECT_EQ(*store().position_before(start + std::chrono::seconds(45)), kNoPosition);
  EXPECT_EQ(*store().position_before(start + std::chrono::seconds(51)), positions[11]);
}

// More than an engine keeps in memory before it indexes in bulk.
TEST_P(StoreContract, ManyEventsAreIndexedInBulk) {
  constexpr int kCount = 33'000;
  const auto id = [](int i) { return "e" + std::to_string(100'000 + (i * 7919) % kCount); };
  std::vector<NewEvent> batch;
  for (int i = 0; i < kCount; ++i) {
    batch.push_back(make_event(id(i), kBaseUs + i % 1000));
    if (batch.size() == 1000) append(std::exchange(batch, {}));
  }
  for (const bool reopened : {false, true}) {
    if (reopened) engine_->reopen();
    engine_->index_now();
    auto q = page_query(false, INT64_MAX, 0);
    q.max_events = 1000;
    const auto pages = read_pages(q);
    EXPECT_EQ(pages.size(), static_cast<size_t>(kCount));
    EXPECT_EQ(std::set<std::string>(pages.begin(), pages.end()).size(), pages.size());
    EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)).size(), static_cast<size_t>(kCount));
    EXPECT_EQ(append({make_event(id(1), kBaseUs + 1), make_event(id(32'999))}),
              (std::vector{Outcome::kDuplicate, Outcome::kDuplicate}));
  }
}

}  // namespace
}  // namespace eventhorn::store
