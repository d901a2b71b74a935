// Part of store_contract_test.h: how much a lane has before it.
#pragma once

#include "store/store_contract_test.h"

#include <random>

namespace eventhorn::store {

// What reading the whole range gives.
inline EventCount count_by_reading(Store& store, LaneQuery q) {
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
inline std::vector<NewEvent> uneven_events(size_t count, unsigned seed) {
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

}  // namespace eventhorn::store
