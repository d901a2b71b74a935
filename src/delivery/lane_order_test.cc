// Turns: first attempts of one message and recipient.
#include "delivery/lane_test_support.h"

#include <deque>
#include <map>
#include <random>
#include <set>

namespace eventhorn::delivery {
namespace {

constexpr uint64_t kHot = 77;

Segment& behind(Lane& lane) {
  return lane.segments().open(webhook::Class::kNormal, {0}, false);
}

// The log from `first` on, as one read would bring it.
void read_log(Segment& segment, uint64_t first, uint64_t last, uint64_t key) {
  store::LaneSlice slice;
  for (uint64_t i = first; i <= last; ++i)
    slice.events.push_back(make_event(i, event::Name::kDelivered, key));
  slice.through = {last};
  segment.fill(slice);
}

// Whatever the class: urgent ones do not overtake, and an opened one waits for its delivered.
TEST(LaneOrder, WhileCaughtUpAMessageFollowsArrivalAcrossClasses) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  constexpr event::Name kNames[] = {event::Name::kOpened, event::Name::kComplained,
                                    event::Name::kDelivered};
  for (int round = 0; round < 200; ++round) {
    auto lane = make_lane();
    std::map<uint64_t, std::set<uint64_t>> unsettled;  // by key
    std::vector<Job> in_flight;
    uint64_t position = 0;
    for (int step = 0; step < 200 || !lane->settled(); ++step) {
      ASSERT_LT(step, 10'000) << "round " << round;
      if (random() % 2 == 0 && step < 200) {
        const uint64_t key = 1 + random() % 8;
        unsettled[key].insert(++position);
        offer(*lane, make_event(position, kNames[random() % 3], key));
      }
      if (auto job = lane->take(true, {})) {
        EXPECT_EQ(job->position.value, *unsettled[job->order_key].begin());
        in_flight.push_back(*job);
      }
      if (in_flight.empty() || random() % 2 == 0) continue;
      const auto at = in_flight.begin() + static_cast<std::ptrdiff_t>(random() % in_flight.size());
      if (random() % 8 == 0) {
        lane->give_back(*at);
      } else {
        unsettled[at->order_key].erase(at->position.value);
        lane->settle(*at);
      }
      in_flight.erase(at);
    }
  }
}

TEST(LaneOrder, UrgentStillComesFirstOfOtherMessages) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kOpened, 1));
  offer(*lane, make_event(2, event::Name::kDelivered, 2));
  offer(*lane, make_event(3, event::Name::kComplained, 3));
  std::vector<uint64_t> order;
  while (const auto job = lane->take(true, {})) order.push_back(job->position.value);
  EXPECT_EQ(order, (std::vector<uint64_t>{3, 2, 1}));
}

// Reliability L15: thousands of one message and recipient wait aside, one after the other as long
// as they are not too many.
TEST(LaneOrder, L15OneBusyMessageDoesNotHoldTheOthersOfABacklog) {
  auto lane = make_lane();
  auto& segment = behind(*lane);
  std::set<uint64_t> others;
  std::deque<Job> hot;
  for (uint64_t read = 0; read < 20'000; read += 100) {
    ASSERT_TRUE(segment.wants_read(kReadBelow)) << "at " << read;
    read_log(segment, read + 1, read + 100, read % 2000 < 1000 ? kHot : 0);
    while (const auto job = lane->take(true, {})) {
      if (job->order_key == kHot) {
        hot.push_back(*job);
      } else {
        others.insert(job->position.value);
        lane->settle(*job);
      }
    }
    ASSERT_EQ(hot.size() > 1, read >= 2000) << "at " << read;
    ASSERT_LE(segment.held(), kMaxDeferred);
    for (; hot.size() > 100; hot.pop_front()) lane->settle(hot.front());
  }
  EXPECT_EQ(others.size(), 10'000U);
}

// So that a full window, of which only the first is not settled, moves on.
TEST(LaneOrder, L15AFullWindowSendsWhatIsDeferred) {
  auto lane = make_lane();
  auto& segment = behind(*lane);
  read_log(segment, 1, 3, kHot);
  const auto first = lane->take(true, {});
  ASSERT_TRUE(first);
  for (uint64_t at = 3; segment.wants_read(kReadBelow); at += 100) {
    read_log(segment, at + 1, at + 100, 0);
    while (const auto job = lane->take(true, {})) {
      ASSERT_EQ(job->order_key, 0U);
      lane->settle(*job);
      if (segment.fresh() == 0) break;
    }
  }
  EXPECT_TRUE(lane->has_work(true));
  const auto second = lane->take(true, {});
  const auto third = lane->take(true, {});
  ASSERT_TRUE(second && third);
  EXPECT_EQ(second->position.value, 2U) << "the oldest first";
  EXPECT_EQ(third->position.value, 3U);
  EXPECT_FALSE(lane->has_work(true));
  for (const auto& job : {*first, *second, *third}) lane->settle(job);
  EXPECT_TRUE(segment.wants_read(kReadBelow));
}

TEST(LaneOrder, L15BytesOfDeferredEventsAreBounded) {
  auto lane = make_lane();
  auto& segment = behind(*lane);
  store::LaneSlice slice;
  for (uint64_t i = 1; i <= 20; ++i) {
    auto event = std::make_shared<store::StoredEvent>();
    event->position = {i};
    event->event.order_key = kHot;
    event->event.name = event::Name::kDelivered;
    event->event.bytes.assign(kMaxDeferredBytes / 8, 'x');
    slice.events.push_back(event);
  }
  slice.through = {20};
  segment.fill(slice);
  size_t taken = 0;
  while (lane->take(true, {})) ++taken;
  EXPECT_EQ(taken, 20U - 8U) << "as many wait aside as may";
}

// What is live goes before the backlog of its message.
TEST(LaneOrder, LiveEventsOvertakeTheirOwnBacklog) {
  auto lane = make_lane();
  read_log(behind(*lane), 1, 100, kHot);
  const auto first = lane->take(true, {});
  EXPECT_FALSE(lane->take(true, {}));
  offer(*lane, make_event(200, event::Name::kComplained, kHot));
  EXPECT_FALSE(lane->take(true, {}));
  lane->settle(*first);
  const auto next = lane->take(true, {});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->position.value, 200U);
}

// A turn never rests with an event that nobody is going to send.
TEST(LaneOrder, APausedReplayHoldsNobody) {
  auto lane = make_lane();
  store::SegmentRow row;
  row.cls = webhook::Class::kNormal;
  row.to = Position{50};
  row.replay = 7;
  lane->segments().add(row);
  read_log(lane->segments().back(), 1, 50, kHot);
  const auto first = lane->take(true, {});
  EXPECT_FALSE(lane->take(true, {}));
  EXPECT_TRUE(lane->pause_replay(7, true));
  offer(*lane, make_event(100, event::Name::kDelivered, kHot));
  EXPECT_FALSE(lane->take(true, {})) << "the first is still under way";
  lane->give_back(*first);
  const auto live = lane->take(true, {});
  ASSERT_TRUE(live);
  EXPECT_EQ(live->position.value, 100U);
  lane->settle(*live);
  EXPECT_TRUE(lane->pause_replay(7, false));
  ASSERT_NE(lane->segments().wants_read(kReadBelow), nullptr);
  read_log(lane->segments().back(), 1, 50, kHot);
  EXPECT_EQ(lane->take(true, {})->position.value, 1U);
}

TEST(LaneOrder, WhatIsSkippedOrSpilledGivesItsTurnBack) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kOpened, kHot));  // has the turn, and waits
  offer(*lane, make_event(2, event::Name::kDelivered, kHot));
  auto& bulk = lane->segments().open(webhook::Class::kBulk, {0}, true);
  bulk.decline({3});
  lane->settle_through(bulk, {2});
  const auto freed = lane->take(true, {});
  ASSERT_TRUE(freed);
  EXPECT_EQ(freed->position.value, 2U);
  lane->settle(*freed);
  offer(*lane, make_event(5, event::Name::kDelivered, kHot));
  lane->spill();
  read_log(lane->segments().open(webhook::Class::kNormal, {0}, true), 5, 6, kHot);
  EXPECT_TRUE(lane->take(true, {}));
}

}  // namespace
}  // namespace eventhorn::delivery
