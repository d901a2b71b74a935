#include "delivery/lane_test_support.h"

#include <algorithm>
#include <random>
#include <set>

namespace eventhorn::delivery {
namespace {

TEST(Lane, HealthyLaneKeepsNothing) {
  auto lane = make_lane();
  offer(*lane, make_event(5));
  EXPECT_FALSE(lane->settled());
  const auto job = lane->take(true, {});
  ASSERT_TRUE(job);
  EXPECT_EQ(job->position.value, 5U);
  lane->settle(*job);
  EXPECT_TRUE(lane->row().segments.empty());
  EXPECT_TRUE(lane->settled());
}

TEST(Lane, UrgentComesBeforeNormalBeforeBulk) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kOpened));
  offer(*lane, make_event(2, event::Name::kDelivered));
  offer(*lane, make_event(3, event::Name::kComplained));
  std::vector<uint64_t> order;
  while (const auto job = lane->take(true, {})) order.push_back(job->position.value);
  EXPECT_EQ(order, (std::vector<uint64_t>{3, 2, 1}));
}

TEST(Lane, FirstAttemptsOfOneMessageAndRecipientFollowTheLogOneAtATime) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kAccepted, 77));
  offer(*lane, make_event(2, event::Name::kDelivered, 77));
  offer(*lane, make_event(3, event::Name::kDelivered, 88));
  offer(*lane, make_event(4, event::Name::kDelivered, 77));
  const auto first = lane->take(true, {});
  const auto other = lane->take(true, {});
  ASSERT_TRUE(first && other);
  EXPECT_EQ(first->position.value, 1U);
  EXPECT_EQ(other->position.value, 3U);
  EXPECT_FALSE(lane->take(true, {}));
  lane->settle(*first);
  const auto second = lane->take(true, {});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->position.value, 2U);
  EXPECT_FALSE(lane->take(true, {})) << "4 must wait for 2";
  lane->give_back(*second);
  const auto again = lane->take(true, {});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->position.value, 2U) << "what is given back comes first";
  lane->settle(*again);
  EXPECT_EQ(lane->take(true, {})->position.value, 4U);
}

TEST(Lane, DropsWhatNoHookWantsAnyMore) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kDelivered, 7));
  offer(*lane, make_event(2, event::Name::kDelivered, 7));
  offer(*lane, make_event(3, event::Name::kAccepted, 7));
  const auto first = lane->take(true, {});
  EXPECT_FALSE(lane->take(true, {}));  // 2 and 3 are deferred behind 1
  auto since = all_since(0);
  since[static_cast<size_t>(Hook::kDelivered)] = std::nullopt;
  const auto ended = lane->subscribe(since);
  EXPECT_EQ(lane->drop(ended), 1U);
  EXPECT_TRUE(lane->outlived(*first));
  lane->settle(*first);
  const auto next = lane->take(true, {});
  ASSERT_TRUE(next) << "dropping a deferred event must free the ones behind it";
  EXPECT_EQ(next->position.value, 3U);
  EXPECT_FALSE(lane->outlived(*next));
}

TEST(Lane, ReAddedHookStartsAnew) {
  auto lane = make_lane();
  offer(*lane, make_event(10));
  auto since = all_since(0);
  since[static_cast<size_t>(Hook::kDelivered)] = Position{11};
  EXPECT_EQ(lane->drop(lane->subscribe(since)), 1U);
  offer(*lane, make_event(12));
  const auto job = lane->take(true, {});
  ASSERT_TRUE(job);
  EXPECT_EQ(job->position.value, 12U);
}

// Whoever was deferred behind one whose turn it was is next.
TEST(Lane, DroppingOneWhoseTurnItWasFreesTheNext) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kAccepted, 7));
  offer(*lane, make_event(2, event::Name::kDelivered, 7));
  offer(*lane, make_event(3, event::Name::kAccepted, 7));
  const auto first = lane->take(true, {});
  EXPECT_FALSE(lane->take(true, {}));
  lane->settle(*first);  // 2 is next
  auto since = all_since(0);
  since[static_cast<size_t>(Hook::kDelivered)] = std::nullopt;
  EXPECT_EQ(lane->drop(lane->subscribe(since)), 1U);
  const auto next = lane->take(true, {});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->position.value, 3U);
  EXPECT_FALSE(lane->take(true, {}));
  lane->settle(*next);
  EXPECT_TRUE(lane->settled());
}

// A timer that was set before the last attempt does not bring the next one forward.
TEST(Lane, RetryPutOffIsNotTakenEarly) {
  auto lane = make_lane();
  const SteadyTime now{std::chrono::hours(1)};
  const auto later = now + std::chrono::minutes(5);
  lane->retries().wait({1}, {1, {}, {}, 500, Hook::kDelivered, now});
  lane->retries().due({1}, now);
  const auto retry = lane->take(true, now);
  ASSERT_TRUE(retry);
  lane->retries().due({1}, now);
  lane->retries().wait({1}, {2, {}, {}, 500, Hook::kDelivered, later});
  lane->settle(*retry);
  EXPECT_FALSE(lane->take(true, now));
  lane->retries().due({1}, later);
  EXPECT_TRUE(lane->take(true, later));
}

TEST(Lane, RetriesGoOnceEach) {
  auto lane = make_lane();
  offer(*lane, make_event(1));
  const auto job = lane->take(true, {});
  lane->retries().wait(job->position, {1, {}, {}, 500, Hook::kDelivered});
  lane->settle(*job);
  EXPECT_EQ(lane->retries().size(), 1U);
  lane->retries().due({1}, {});
  lane->retries().due({1}, {});
  const auto retry = lane->take(true, {});
  offer(*lane, make_event(2));
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->position.value, 1U);
  EXPECT_EQ(retry->attempt, 2);
  EXPECT_EQ(retry->segment, nullptr);
  EXPECT_EQ(lane->take(true, {})->position.value, 2U);
  EXPECT_FALSE(lane->take(true, {})) << "a retry in flight is not taken twice";
  lane->settle(*retry);
  lane->retries().end({1});
  EXPECT_EQ(lane->retries().size(), 0U);
}

TEST(Lane, FullWindowFallsBehindAndReadsTheLog) {
  auto lane = make_lane();
  auto& segment = lane->segments().open(webhook::Class::kNormal, {0}, true);
  uint64_t position = 0;
  while (segment.offer(make_event(++position), Hook::kDelivered)) ASSERT_LE(position, kMaxLive);
  EXPECT_EQ(position, kMaxLive + 1);
  EXPECT_FALSE(segment.caught_up());
  EXPECT_EQ(lane->segments().wants_read(kReadBelow), nullptr) << "enough waits in memory";
  while (segment.fresh() > 0) lane->settle(*lane->take(true, {}));
  ASSERT_EQ(lane->segments().wants_read(kReadBelow), &segment);
  EXPECT_EQ(segment.read_through().value, kMaxLive);
  store::LaneSlice slice;
  slice.events = {make_event(position), make_event(position + 1)};
  slice.through = {position + 5};
  slice.at_end = true;
  segment.fill(slice);
  EXPECT_TRUE(segment.caught_up());
  EXPECT_TRUE(segment.offer(make_event(position + 1), Hook::kDelivered))
      << "what a read brought is not taken twice";
  EXPECT_EQ(segment.fresh(), 2U);
}

// A lane is settled in random order, saved, loaded and filled again from the log: exactly the
// unsettled events come again, whatever the moment of the save.
TEST(Lane, RowKeepsExactlyWhatIsUnsettled) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 300; ++round) {
    const size_t count = 1 + random() % 200;
    std::vector<EventPtr> log;
    uint64_t position = 0;
    for (size_t i = 0; i < count; ++i)
      log.push_back(
          make_event(position += 1 + random() % 3, event::Name::kDelivered, random() % 20));
    std::set<uint64_t> unsettled;
    for (const auto& e : log) unsettled.insert(e->position.value);
    std::optional<store::LaneRow> row;
    for (int life = 0; life < 4; ++life) {
      auto lane = make_lane();
      if (row) lane->load(*row);
      if (row && row->segments.empty()) {
        EXPECT_TRUE(unsettled.empty());
        break;
      }
      auto& segment = lane->segments().open(webhook::Class::kNormal, {0}, false);
      std::vector<Job> in_flight;
      while (true) {
        if (lane->segments().wants_read(kReadBelow) != nullptr && random() % 2 == 0) {
          store::LaneSlice slice;
          const size_t most = 1 + random() % 50;
          for (const auto& e : log) {
            if (e->position > segment.read_through() && slice.events.size() < most)
              slice.events.push_back(e);
          }
          slice.at_end = slice.events.empty() || slice.events.back() == log.back();
          slice.through = slice.at_end ? Position{position} : slice.events.back()->position;
          segment.fill(slice);
        }
        if (auto job = lane->take(true, {}); job && random() % 3 != 0) {
          EXPECT_TRUE(unsettled.contains(job->position.value))
              << "sent again: " << job->position.value;
          in_flight.push_back(*job);
        } else if (job) {
          lane->give_back(*job);
        }
        if (!in_flight.empty() && random() % 2 == 0) {
          const size_t pick = random() % in_flight.size();
          lane->settle(in_flight[pick]);
          unsettled.erase(in_flight[pick].position.value);
          in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(pick));
        }
        if (unsettled.empty() || random() % 120 == 0) break;
      }
      row = lane->row();
    }
  }
}

TEST(Lane, LiveGoesBeforeTheBacklogThreeTimesOfFour) {
  auto lane = make_lane();
  lane->segments().open(webhook::Class::kNormal, {0}, false);
  store::LaneSlice slice;
  for (uint64_t i = 1; i <= 20; ++i) slice.events.push_back(make_event(i));
  slice.through = {20};
  lane->segments().wants_read(kReadBelow)->fill(slice);
  auto* live = lane->begin_live(webhook::Class::kNormal, {30});
  ASSERT_NE(live, nullptr);
  for (uint64_t i = 31; i <= 50; ++i) ASSERT_TRUE(live->offer(make_event(i), Hook::kDelivered));
  std::vector<uint64_t> order;
  for (int i = 0; i < 8; ++i) order.push_back(lane->take(true, {})->position.value);
  EXPECT_EQ(order, (std::vector<uint64_t>{31, 32, 33, 1, 34, 35, 36, 2}));
}

TEST(Lane, FallingBehindTimeAndAgainKeepsFewSegments) {
  auto lane = make_lane();
  uint64_t position = 0;
  for (int burst = 0; burst < 100; ++burst) {
    lane->segments().open(webhook::Class::kNormal, {position}, true).decline({position + 1});
    auto* live = lane->begin_live(webhook::Class::kNormal, {position});
    ASSERT_NE(live, nullptr);
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(live->offer(make_event(++position), Hook::kDelivered));
      if (i % 3 == 0) lane->settle(*lane->take(true, {}));
    }
  }
  EXPECT_LE(lane->segments().size(), 3U);
}

// What the caller knows of the log may be older than what the lane has: after a start with another
// number of cores, for one.
TEST(Lane, SegmentsNeverOverlap) {
  auto lane = make_lane();
  lane->load({{1}, {1}, {{webhook::Class::kNormal, {0}, Position{900}, {0}, {}}}});
  auto& open = lane->segments().open(webhook::Class::kNormal, {500}, false);
  EXPECT_EQ(open.read_through(), Position{900});
  ASSERT_NE(lane->begin_live(webhook::Class::kNormal, {950}), nullptr);
  ASSERT_NE(lane->begin_live(webhook::Class::kNormal, {960}), nullptr);
  const auto row = lane->row();
  for (size_t i = 1; i < row.segments.size(); ++i)
    EXPECT_GE(row.segments[i].after, *row.segments[i - 1].to);
}

// However fast the log grows: only an event of the lane that was not taken keeps it behind.
TEST(Lane, SegmentCatchesUpWithWhatItWasOffered) {
  auto lane = make_lane();
  auto& open = lane->segments().open(webhook::Class::kNormal, {0}, false);
  EXPECT_FALSE(open.offer(make_event(30), Hook::kDelivered));
  store::LaneSlice slice;
  slice.through = {20};
  slice.at_end = true;
  open.fill(slice);
  EXPECT_FALSE(open.caught_up()) << "30 is not read yet";
  slice.events = {make_event(30)};
  slice.through = {40};
  open.fill(slice);
  EXPECT_TRUE(open.caught_up());
}

// An event that retention dropped is counted by the read that finds it gone, and not again.
TEST(Lane, WhatLiesBeforeTheFirstEventIsSettled) {
  auto lane = make_lane();
  auto& open = lane->segments().open(webhook::Class::kNormal, {0}, false);
  store::LaneSlice slice;
  slice.events = {make_event(30)};
  slice.through = {40};
  slice.at_end = true;
  slice.expired = 5;
  open.fill(slice);
  lane->spill();
  EXPECT_EQ(open.read_through(), Position{29});
}

// Whoever waits behind an event of its message goes on when that is let go before its turn.
TEST(Lane, EventLetGoFreesThoseBehindIt) {
  auto lane = make_lane();
  store::SegmentRow row;
  row.cls = webhook::Class::kNormal;
  row.to = Position{2};
  row.replay = 7;
  lane->segments().add(row);
  store::LaneSlice slice;
  slice.events = {make_event(2, event::Name::kDelivered, 7)};
  slice.through = {2};
  lane->segments().back().fill(slice);
  offer(*lane, make_event(11, event::Name::kDelivered, 7));
  const auto first = lane->take(true, {});
  ASSERT_EQ(first->position.value, 11U);
  EXPECT_FALSE(lane->take(true, {})) << "2 waits for it";
  offer(*lane, make_event(12, event::Name::kDelivered, 7));
  EXPECT_FALSE(lane->take(true, {})) << "12, too";
  lane->settle(*first);
  EXPECT_TRUE(lane->cancel_replay(7));
  const auto next = lane->take(true, {});
  ASSERT_TRUE(next);
  EXPECT_EQ(next->position.value, 12U);
}

TEST(Lane, NothingOfACancelledReplayIsSentAgain) {
  auto lane = make_lane();
  store::SegmentRow row;
  row.cls = webhook::Class::kNormal;
  row.to = Position{2};
  row.replay = 7;
  lane->segments().add(row);
  store::LaneSlice slice;
  slice.events = {make_event(2)};
  slice.through = {2};
  lane->segments().back().fill(slice);
  const auto job = lane->take(true, {});
  EXPECT_TRUE(lane->cancel_replay(7));
  lane->give_back(*job);
  EXPECT_FALSE(lane->take(true, {}));
  EXPECT_TRUE(lane->settled());
}

// A retry that is given back may go at once, even when it was put off for good as a probe.
TEST(Lane, ProbeGivenBackIsDue) {
  auto lane = make_lane();
  Waiting waiting{1, {}, {}, 500, Hook::kDelivered, SteadyTime::max()};
  lane->retries().wait({1}, waiting);
  const auto probe = lane->take_probe(SteadyTime{});
  ASSERT_TRUE(probe);
  lane->give_back(*probe);
  EXPECT_TRUE(lane->take(true, {}));
}

TEST(Lane, SegmentsThatCannotBeJoinedAreBounded) {
  auto lane = make_lane();
  uint64_t position = 0;
  std::vector<Job> held;  // one in flight in each segment
  Segment* live = nullptr;
  for (size_t i = 0; i < 2 * kMaxClosed; ++i) {
    live = lane->begin_live(webhook::Class::kNormal, {position});
    if (live == nullptr) break;
    ASSERT_TRUE(live->offer(make_event(++position), Hook::kDelivered));
    ASSERT_TRUE(live->offer(make_event(++position), Hook::kDelivered));
    held.push_back(*lane->take(true, {}));
    live->decline({position + 1});
  }
  EXPECT_EQ(live, nullptr);
  EXPECT_LE(lane->segments().size(), kMaxClosed + 1);
  for (const auto& job : held) lane->settle(job);
  EXPECT_NE(lane->begin_live(webhook::Class::kNormal, {position}), nullptr);
}

TEST(Lane, ProbesTakeADifferentEventEachInTurn) {
  auto lane = make_lane();
  for (uint64_t i = 1; i <= 3; ++i) {
    offer(*lane, make_event(i));
    lane->settle(*lane->take(true, {}));
    lane->retries().wait({i}, {1, from_micros(static_cast<int64_t>(i)), {}, 500, Hook::kDelivered});
  }
  offer(*lane, make_event(10));
  offer(*lane, make_event(11));
  std::vector<uint64_t> order;
  int64_t now = 100;
  for (int i = 0; i < 6; ++i) {
    const auto job = lane->take_probe(SteadyTime{});
    ASSERT_TRUE(job && job->probe);
    order.push_back(job->position.value);
    Waiting waiting{1, from_micros(++now), {}, 500, Hook::kDelivered};
    waiting.probed = true;
    lane->settle(*job);
    lane->retries().wait(job->position, waiting);
  }
  EXPECT_EQ(order, (std::vector<uint64_t>{1, 10, 2, 11, 3, 1}));
  for (const auto& [position, waiting] : lane->retries().all()) EXPECT_TRUE(waiting.probed);
}

TEST(Lane, AReplayTakesWhatHooksNameNowAndMayBeHeldAndCancelled) {
  auto lane = make_lane();
  auto since = all_since(100);
  since[static_cast<size_t>(Hook::kOpened)] = std::nullopt;
  lane->subscribe(since);
  store::SegmentRow row;
  row.cls = webhook::Class::kNormal;
  row.to = Position{50};
  row.replay = 7;
  lane->segments().add(row);
  auto& replay = lane->segments().back();
  const auto query = lane->query(replay);
  EXPECT_EQ(query.since[static_cast<size_t>(Hook::kDelivered)], kNoPosition);
  EXPECT_EQ(query.since[static_cast<size_t>(Hook::kOpened)], std::nullopt);
  replay.paused = true;
  EXPECT_FALSE(lane->has_work(true));
  EXPECT_EQ(lane->segments().wants_read(kReadBelow), nullptr);
  EXPECT_TRUE(lane->row().segments.front().paused);
  replay.paused = false;
  store::LaneSlice slice;
  for (uint64_t i = 1; i <= 5; ++i)
    slice.events.push_back(make_event(i, event::Name::kDelivered, 3));
  slice.through = {5};
  replay.fill(slice);
  const auto job = lane->take(true, {});
  ASSERT_TRUE(job);
  EXPECT_EQ(job->position.value, 1U) << "though the hook began later";
  EXPECT_FALSE(lane->take(true, {})) << "one at a time";
  EXPECT_FALSE(lane->cancel_replay(8));
  EXPECT_TRUE(lane->cancel_replay(7));
  EXPECT_FALSE(lane->take(true, {}));
  lane->settle(*job);
  EXPECT_FALSE(lane->take(true, {}));
  EXPECT_TRUE(lane->settled());
}

}  // namespace
}  // namespace eventhorn::delivery
