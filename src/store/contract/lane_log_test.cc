// What a lane reads, and how much of it there is.
#include "store/contract/contract_test_support.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {
namespace {

// Every class, limit and place against a plain filter of what was appended.
TEST_P(StoreContract, ALaneIsReadWithoutGapOrDuplicate) {
  const auto events = mixed_events(300, 2);
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    const auto heads = store().read_heads(kNoPosition, 1000);
    ASSERT_EQ(heads->size(), events.size());
    for (const auto cls :
         {webhook::Class::kUrgent, webhook::Class::kNormal, webhook::Class::kBulk}) {
      for (const size_t after : {0, 1, 149, 150, 299}) {
        Ids want;
        for (size_t i = after; i < events.size(); ++i) {
          const auto hook = webhook::hook_for(events[i].event.name, events[i].event.severity);
          if (events[i].domain == kDomain && events[i].push && hook &&
              webhook::class_of(*hook) == cls)
            want.push_back(events[i].event.id);
        }
        auto q = lane_query(cls, after == 0 ? kNoPosition : heads->at(after - 1).position);
        for (const size_t max_events : {1, 3, 1000}) {
          for (const size_t max_bytes : {1, 500, 1 << 20}) {
            q.max_events = max_events;
            q.max_bytes = max_bytes;
            ASSERT_EQ(read_lane(q), want);
          }
        }
      }
    }
  }
}

TEST_P(StoreContract, ALaneSeesItsHooksSinceTheirStartAndUpToItsEnd) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 40; ++i) {
    events.push_back(make_event("e" + std::to_string(i), kBaseUs,
                                i % 2 == 0 ? event::Name::kDelivered : event::Name::kAccepted));
  }
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    const auto heads = *store().read_heads(kNoPosition, 100);
    auto q = lane_query(webhook::Class::kNormal);
    q.since.fill(std::nullopt);
    EXPECT_EQ(read_lane(q), Ids{});
    q.since[static_cast<size_t>(webhook::Hook::kDelivered)] = heads[30].position;
    EXPECT_EQ(read_lane(q), (Ids{"e32", "e34", "e36", "e38"}));
    q.since[static_cast<size_t>(webhook::Hook::kAccepted)] = heads[34].position;
    EXPECT_EQ(read_lane(q), (Ids{"e32", "e34", "e35", "e36", "e37", "e38", "e39"}));
    q.to = heads[35].position;
    EXPECT_EQ(read_lane(q), (Ids{"e32", "e34", "e35"}));
    EXPECT_EQ(store().read_lane(q)->through, heads[35].position);
    q.to = heads[10].position;
    q.since.fill(kNoPosition);
    q.max_events = 2;
    EXPECT_EQ(read_lane(q).size(), 11U);
    q.after = heads[10].position;
    EXPECT_EQ(read_lane(q), Ids{});
  }
}

// Every limit and place against a plain filter.
TEST_P(StoreContract, MissedEventsOfALaneAreReadByClass) {
  constexpr event::Name kNames[] = {event::Name::kDelivered, event::Name::kOpened,
                                    event::Name::kAccepted, event::Name::kClicked};
  std::vector<NewEvent> events;
  for (int i = 0; i < 60; ++i)
    events.push_back(make_event("e" + std::to_string(100 + i), kBaseUs, kNames[i % 4]));
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    const auto heads = *store().read_heads(kNoPosition, 100);
    Progress p;
    Ids want;
    Ids want_opened_late;
    for (size_t i = 0; i < events.size(); ++i) {
      const auto hook = *webhook::hook_for(heads[i].name, heads[i].severity);
      const bool missed = i % 3 == 0;
      if (i % 5 != 4) p.exceptions.push_back(exception_row({5}, heads[i].position, missed, hook));
      p.exceptions.push_back(exception_row({6}, heads[i].position, true, hook));
      if (i % 5 == 4 || !missed || webhook::class_of(hook) != webhook::Class::kBulk) continue;
      want.push_back(events[i].event.id);
      if (i > 20 && i <= 50 && hook == webhook::Hook::kOpened)
        want_opened_late.push_back(events[i].event.id);
    }
    save(p);
    ASSERT_GT(want_opened_late.size(), 1U);
    for (const size_t max_events : {1, 3, 1000}) {
      for (const size_t max_bytes : {1, 1 << 20}) {
        auto q = lane_query(webhook::Class::kBulk);
        q.source = SegmentRow::Source::kMissed;
        q.lane = {5};
        q.max_events = max_events;
        q.max_bytes = max_bytes;
        EXPECT_EQ(read_lane(q), want);
        q.since.fill(std::nullopt);
        q.since[static_cast<size_t>(webhook::Hook::kOpened)] = heads[20].position;
        q.to = heads[50].position;
        EXPECT_EQ(read_lane(q), want_opened_late);
        EXPECT_EQ(store().count_lane(q)->events, want_opened_late.size());
        q.max_events = 1000;
        q.max_bytes = 1 << 20;
        EXPECT_EQ(store().read_lane(q)->through, *q.to);
        q.after = *q.to;
        EXPECT_EQ(read_lane(q), Ids{});
      }
    }
  }
}

TEST_P(StoreContract, WhatRetentionDroppedIsCountedAsExpired) {
  Progress p;
  for (int i = 0; i < 5; ++i) {
    if (i == 3) engine_->clock.advance(std::chrono::hours(2));
    const Position at = append_one(make_event("e" + std::to_string(i)));
    p.exceptions.push_back(exception_row({5}, at, true));
  }
  save(p);
  engine_->index_now();
  ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
  for (const bool compacted : {false, true}) {
    if (compacted) engine_->compact();
    for (const auto source : {SegmentRow::Source::kLog, SegmentRow::Source::kMissed}) {
      auto q = lane_query(webhook::Class::kNormal);
      q.source = source;
      q.lane = {5};
      q.max_events = 2;
      const auto slice = store().read_lane(q);
      ASSERT_TRUE(slice);
      EXPECT_EQ(slice->expired, 3U);
      EXPECT_EQ(ids_of(slice->events), (Ids{"e3", "e4"}));
      EXPECT_TRUE(slice->at_end);
    }
  }
}

// What reading the whole range gives.
EventCount count_by_reading(Store& store, LaneQuery q) {
  EventCount out;
  for (;;) {
    const auto slice = store.read_lane(q);
    if (!slice || slice->through <= q.after) return out;
    out.events += slice->events.size() + slice->expired;
    for (const auto& e : slice->events) out.bytes += e->event.bytes.size();
    if (slice->at_end) return out;
    q.after = slice->through;
  }
}

// Three domains of unlike traffic, sizes and kinds.
std::vector<NewEvent> uneven_events(size_t count, unsigned seed) {
  constexpr event::Name kNames[] = {event::Name::kDelivered, event::Name::kDelivered,
                                    event::Name::kDelivered, event::Name::kOpened,
                                    event::Name::kFailed,    event::Name::kAccepted,
                                    event::Name::kStored};
  std::mt19937 random(seed);
  std::vector<NewEvent> out;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t dice = random() % 100;
    auto e = make_event("e" + std::to_string(i), kBaseUs, kNames[random() % std::size(kNames)],
                        dice < 80   ? kDomain
                        : dice < 98 ? kOtherDomain
                                    : DomainUid{102});
    e.push = random() % 10 != 0;
    e.event.bytes += std::string(random() % 200, ' ');
    out.push_back(std::move(e));
  }
  return out;
}

TEST_P(StoreContract, CountsAreWhatReadingGives) {
  const auto events = uneven_events(3000, 5);
  for (const Place place : kPlaces) {
    SCOPED_TRACE(static_cast<int>(place));
    fill(events, place);
    for (const bool reopened : {false, true}) {
      if (reopened) engine_->reopen();
      if (reopened && place == Place::kBoth) engine_->index_now();
      std::mt19937 random(6);
      const auto any = [&] { return Position{random() % (store().head().value + 10)}; };
      for (int round = 0; round < 60; ++round) {
        LaneQuery q = lane_query(static_cast<webhook::Class>(random() % webhook::kClasses));
        q.domain = {kDomain.value + random() % 4};
        if (round % 3 != 0) q.after = any();
        if (round % 4 != 0) q.to = any();
        for (auto& since : q.since) {
          if (random() % 3 == 0) since = any();
          if (random() % 5 == 0) since.reset();
        }
        const auto counted = store().count_lane(q);
        ASSERT_TRUE(counted) << counted.error().message;
        const auto read = count_by_reading(store(), q);
        ASSERT_EQ(counted->events, read.events) << round;
        ASSERT_EQ(counted->bytes, read.bytes) << round;
      }
    }
  }
}

TEST_P(StoreContract, CountsStayRightWhileEventsMoveToTheIndex) {
  const auto events = uneven_events(3000, 7);
  size_t next = 0;
  uint64_t normal = 0;
  while (next < events.size()) {
    std::vector<NewEvent> batch;
    for (int i = 0; i < 137 && next < events.size(); ++i, ++next) {
      const auto& e = events[next];
      const auto hook = webhook::hook_for(e.event.name, e.event.severity);
      normal += e.domain == kDomain && e.push && hook &&
                        webhook::class_of(*hook) == webhook::Class::kNormal
                    ? 1
                    : 0;
      batch.push_back(e);
    }
    append(std::move(batch));
    if (next % 3 == 0) engine_->index_now();
    if (next % 5 == 0) engine_->reopen();
    ASSERT_EQ(store().count_lane(lane_query(webhook::Class::kNormal))->events, normal);
  }
}

// Lanes whose backlog retention drops learn how much it was, for 7 days; counts of what is left
// stay right for ever.
TEST_P(StoreContract, CountsOutliveTheirEventsBySevenDays) {
  uint64_t count = 0;
  const auto add = [&](int events) {
    std::vector<NewEvent> batch;
    for (int i = 0; i < events; ++i) batch.push_back(make_event("e" + std::to_string(count++)));
    append(std::move(batch));
    engine_->index_now();
  };
  const auto counted = [&] {
    auto q = lane_query(webhook::Class::kNormal);
    const auto out = store().count_lane(q);
    EXPECT_TRUE(out);
    EXPECT_EQ(out->events, count_by_reading(store(), q).events);
    return out->events;
  };
  const auto expire = [&] {
    ASSERT_TRUE(store().expire(engine_->clock.now() - std::chrono::hours(1), {}));
    engine_->compact();
  };
  add(700);
  engine_->clock.advance(std::chrono::hours(2));
  add(300);
  expire();
  EXPECT_EQ(read_lane(lane_query(webhook::Class::kNormal)).size(), 300U);
  EXPECT_EQ(counted(), 1000U);
  for (int day = 0; day < 10; ++day) {
    engine_->clock.advance(std::chrono::hours(24));
    add(10);
    expire();
    if (day % 3 == 1) engine_->reopen();
    if (day < 6) EXPECT_EQ(counted(), 1010U + 10 * static_cast<unsigned>(day));
    counted();
  }
  EXPECT_LT(counted(), 700U) << "days later they are forgotten";
  EXPECT_GE(counted(), 10U);
}

TEST_P(StoreContract, TheBytesOfMissedEventsAreEstimated) {
  Progress p;
  for (int i = 0; i < 200; ++i) {
    auto e = make_event("e" + std::to_string(100 + i));
    e.event.bytes.resize(400, ' ');
    p.exceptions.push_back(exception_row({5}, append_one(e), i % 2 == 0));
  }
  save(p);
  engine_->index_now();
  auto q = lane_query(webhook::Class::kNormal);
  q.source = SegmentRow::Source::kMissed;
  q.lane = {5};
  EXPECT_EQ(store().count_lane(q)->events, 100U);
  EXPECT_EQ(store().count_lane(q)->bytes, 40'000U);
  q.cls = webhook::Class::kBulk;
  EXPECT_EQ(store().count_lane(q)->events, 0U);
}

}  // namespace
}  // namespace eventhorn::store
