#include "delivery/lane.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace eventhorn::delivery {
namespace {

using webhook::Hook;

EventPtr make_event(uint64_t position, event::Name name = event::Name::kDelivered,
                    uint64_t order_key = 0) {
  auto e = std::make_shared<store::StoredEvent>();
  e->position = {position};
  e->event.id = "e" + std::to_string(position);
  e->event.name = name;
  e->event.order_key = order_key;
  return e;
}

std::array<std::optional<Position>, webhook::kHooks> all_since(uint64_t since) {
  std::array<std::optional<Position>, webhook::kHooks> out;
  out.fill(Position{since});
  return out;
}

std::shared_ptr<Lane> make_lane() {
  auto lane = std::make_shared<Lane>(LaneId{1}, DomainUid{1}, "http://a/");
  lane->subscribe(all_since(0));
  return lane;
}

void offer(Lane& lane, const EventPtr& event) {
  const auto hook = *webhook::hook_for(event->event.name, event->event.severity);
  auto& segment = lane.open_segment(webhook::class_of(hook), {event->position.value - 1}, true);
  ASSERT_TRUE(segment.offer(event, hook));
}

TEST(Lane, HealthyLaneKeepsNothing) {
  auto lane = make_lane();
  offer(*lane, make_event(5));
  EXPECT_FALSE(lane->settled());
  const auto job = lane->take(true);
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
  while (const auto job = lane->take(true)) order.push_back(job->position.value);
  EXPECT_EQ(order, (std::vector<uint64_t>{3, 2, 1}));
}

TEST(Lane, FirstAttemptsOfOneMessageAndRecipientFollowTheLogOneAtATime) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kAccepted, 77));
  offer(*lane, make_event(2, event::Name::kDelivered, 77));
  offer(*lane, make_event(3, event::Name::kDelivered, 88));
  offer(*lane, make_event(4, event::Name::kDelivered, 77));
  const auto first = lane->take(true);
  const auto other = lane->take(true);
  ASSERT_TRUE(first && other);
  EXPECT_EQ(first->position.value, 1U);
  EXPECT_EQ(other->position.value, 3U);
  EXPECT_FALSE(lane->take(true));
  lane->settle(*first);
  const auto second = lane->take(true);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->position.value, 2U);
  EXPECT_FALSE(lane->take(true)) << "4 must wait for 2";
  lane->give_back(*second);
  const auto again = lane->take(true);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->position.value, 2U) << "what is given back comes first";
  lane->settle(*again);
  EXPECT_EQ(lane->take(true)->position.value, 4U);
}

TEST(Lane, DropsWhatNoHookWantsAnyMore) {
  auto lane = make_lane();
  offer(*lane, make_event(1, event::Name::kDelivered, 7));
  offer(*lane, make_event(2, event::Name::kDelivered, 7));
  offer(*lane, make_event(3, event::Name::kAccepted, 7));
  const auto first = lane->take(true);
  EXPECT_FALSE(lane->take(true));  // 2 and 3 are deferred behind 1
  auto since = all_since(0);
  since[static_cast<size_t>(Hook::kDelivered)] = std::nullopt;
  lane->subscribe(since);
  lane->settle(*first);
  const auto next = lane->take(true);
  ASSERT_TRUE(next) << "dropping a deferred event must free the ones behind it";
  EXPECT_EQ(next->position.value, 3U);
  EXPECT_EQ(lane->take_dropped(), 1U);
}

TEST(Lane, ReAddedHookStartsAnew) {
  auto lane = make_lane();
  offer(*lane, make_event(10));
  auto since = all_since(0);
  since[static_cast<size_t>(Hook::kDelivered)] = Position{11};
  lane->subscribe(since);
  offer(*lane, make_event(12));
  const auto job = lane->take(true);
  ASSERT_TRUE(job);
  EXPECT_EQ(job->position.value, 12U);
  EXPECT_EQ(lane->take_dropped(), 1U);
}

TEST(Lane, RetriesComeFirstAndGoOnceEach) {
  auto lane = make_lane();
  offer(*lane, make_event(1));
  const auto job = lane->take(true);
  lane->wait(job->position, {1, {}, {}, 500, false});
  lane->settle(*job);
  offer(*lane, make_event(2));
  EXPECT_EQ(lane->waiting(), 1U);
  lane->due({1});
  lane->due({1});
  const auto retry = lane->take(true);
  ASSERT_TRUE(retry);
  EXPECT_EQ(retry->position.value, 1U);
  EXPECT_EQ(retry->attempt, 2);
  EXPECT_EQ(retry->segment, nullptr);
  EXPECT_EQ(lane->take(true)->position.value, 2U);
  EXPECT_FALSE(lane->take(true)) << "a retry in flight is not taken twice";
  lane->settle(*retry);
  lane->end_waiting({1});
  EXPECT_EQ(lane->waiting(), 0U);
}

TEST(Lane, FullWindowFallsBehindAndReadsTheLog) {
  auto lane = make_lane();
  auto& segment = lane->open_segment(webhook::Class::kNormal, {0}, true);
  uint64_t position = 0;
  while (segment.offer(make_event(++position), Hook::kDelivered)) ASSERT_LE(position, kMaxLive);
  EXPECT_EQ(position, kMaxLive + 1);
  EXPECT_FALSE(segment.caught_up());
  EXPECT_EQ(lane->wants_read(), nullptr) << "enough waits in memory";
  while (segment.waiting() > 0) lane->settle(*lane->take(true));
  ASSERT_EQ(lane->wants_read(), &segment);
  EXPECT_EQ(segment.read_through().value, kMaxLive);
  store::LaneSlice slice;
  slice.events = {make_event(position), make_event(position + 1)};
  slice.through = {position + 5};
  slice.at_end = true;
  segment.fill(slice, {position + 5});
  EXPECT_TRUE(segment.caught_up());
  EXPECT_TRUE(segment.offer(make_event(position + 1), Hook::kDelivered))
      << "what a read brought is not taken twice";
  EXPECT_EQ(segment.waiting(), 2U);
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
      auto& segment = lane->open_segment(webhook::Class::kNormal, {0}, false);
      std::vector<Job> in_flight;
      while (true) {
        if (lane->wants_read() != nullptr && random() % 2 == 0) {
          store::LaneSlice slice;
          const size_t most = 1 + random() % 50;
          for (const auto& e : log) {
            if (e->position > segment.read_through() && slice.events.size() < most)
              slice.events.push_back(e);
          }
          slice.at_end = slice.events.empty() || slice.events.back() == log.back();
          slice.through = slice.at_end ? Position{position} : slice.events.back()->position;
          segment.fill(slice, {position});
        }
        if (auto job = lane->take(true); job && random() % 3 != 0) {
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

}  // namespace
}  // namespace eventhorn::delivery
