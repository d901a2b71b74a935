#include "delivery/segment_set.h"

#include <gtest/gtest.h>

#include <vector>

namespace eventhorn::delivery {
namespace {

using store::SegmentRow;

EventPtr make_event(uint64_t position) {
  auto e = std::make_shared<store::StoredEvent>();
  e->position = {position};
  e->event.name = event::Name::kDelivered;
  return e;
}

SegmentRow closed(Class cls, uint64_t after, uint64_t to) {
  return {cls, {after}, Position{to}, {after}, {}};
}

SegmentRow replay_of(Class cls, uint64_t to) {
  auto row = closed(cls, 0, to);
  row.replay = 7;
  return row;
}

void nothing(Segment&) {}

std::vector<std::pair<Class, uint64_t>> order_of(const SegmentSet& set) {
  std::vector<std::pair<Class, uint64_t>> out;
  for (const auto& s : set) out.emplace_back(s.cls(), s.replay());
  return out;
}

TEST(SegmentSet, OwnSegmentsComeByClassAndBeforeReplays) {
  SegmentSet set;
  set.add(replay_of(Class::kUrgent, 5));
  set.open(Class::kBulk, {10}, true);
  set.open(Class::kUrgent, {10}, true);
  set.open(Class::kNormal, {10}, true);
  set.check_invariants();
  EXPECT_EQ(order_of(set),
            (std::vector<std::pair<Class, uint64_t>>{
                {Class::kUrgent, 0}, {Class::kNormal, 0}, {Class::kBulk, 0}, {Class::kUrgent, 7}}));
}

TEST(SegmentSet, AClassHasOneOpenSegment) {
  SegmentSet set;
  auto& live = set.open(Class::kNormal, {10}, true);
  EXPECT_TRUE(live.caught_up());
  EXPECT_EQ(&set.open(Class::kNormal, {99}, false), &live);
  EXPECT_FALSE(set.open(Class::kBulk, {10}, false).caught_up());
}

// What the caller knows of the log may be older than what is there.
TEST(SegmentSet, SegmentsNeverOverlap) {
  SegmentSet set;
  set.add(closed(Class::kNormal, 0, 900));
  EXPECT_EQ(set.open(Class::kNormal, {500}, false).after(), Position{900});
  EXPECT_NE(set.begin_live(Class::kNormal, {950}, nothing), nullptr);
  EXPECT_NE(set.begin_live(Class::kNormal, {960}, nothing), nullptr);
  set.check_invariants();
}

TEST(SegmentSet, ALiveSegmentGoesBesideTheOneThatIsBehind) {
  SegmentSet set;
  auto& behind = set.open(Class::kNormal, {0}, false);
  auto* live = set.begin_live(Class::kNormal, {50}, nothing);
  ASSERT_NE(live, nullptr);
  EXPECT_EQ(behind.to(), Position{50});
  EXPECT_TRUE(live->open() && live->caught_up());
  EXPECT_TRUE(set.behind());
  EXPECT_EQ(set.wants_read(kReadBelow), &behind);
}

TEST(SegmentSet, ClosedOnesThatNobodyHoldsAreJoinedAndToldBefore) {
  SegmentSet set;
  uint64_t position = 0;
  std::vector<const Segment*> told;
  for (int burst = 0; burst < 100; ++burst) {
    auto* live =
        set.begin_live(Class::kNormal, {position}, [&](Segment& s) { told.push_back(&s); });
    ASSERT_NE(live, nullptr);
    ASSERT_TRUE(live->offer(make_event(++position), Hook::kDelivered));
    live->decline({position + 1});
    set.check_invariants();
    EXPECT_LE(set.size(), 3U);
  }
  EXPECT_GT(told.size(), 90U);
}

// What is held stays as it is, up to a bound.
TEST(SegmentSet, OnesInFlightAreNotJoinedAndNotWithoutEnd) {
  SegmentSet set;
  uint64_t position = 0;
  Segment* live = nullptr;
  std::vector<std::pair<Segment*, Entry*>> held;
  for (size_t i = 0; i < 2 * kMaxClosed; ++i) {
    live = set.begin_live(Class::kNormal, {position}, nothing);
    if (live == nullptr) break;
    for (int n = 0; n < 2; ++n) ASSERT_TRUE(live->offer(make_event(++position), Hook::kDelivered));
    held.emplace_back(live, live->next());
    live->start(*live->next());
    live->decline({position + 1});
  }
  EXPECT_EQ(live, nullptr);
  EXPECT_EQ(set.size(), kMaxClosed + 1);
  set.check_invariants();
  for (const auto& [segment, entry] : held) segment->settle(*entry);
  EXPECT_NE(set.begin_live(Class::kNormal, {position}, nothing), nullptr);
  EXPECT_EQ(set.size(), 3U);  // the joined one, the last, which was open, and the live one
}

TEST(SegmentSet, OneReadAtATimeInOrder) {
  SegmentSet set;
  set.add(closed(Class::kUrgent, 0, 10));
  set.add(closed(Class::kNormal, 0, 10));
  auto* first = set.wants_read(kReadBelow);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->cls(), Class::kUrgent);
  first->reading = true;
  EXPECT_EQ(set.wants_read(kReadBelow), nullptr);
  first->reading = false;
  first->fill({{}, {10}, true});
  EXPECT_EQ(set.wants_read(kReadBelow)->cls(), Class::kNormal);
}

TEST(SegmentSet, WhatIsSettledHasNoRowAndIsRemovedUnlessItIsRead) {
  SegmentSet set;
  set.add(closed(Class::kUrgent, 0, 10));
  set.add(closed(Class::kNormal, 0, 10));
  for (auto& s : set) s.fill({{}, {10}, true});
  set.back().reading = true;
  EXPECT_FALSE(set.settled());
  EXPECT_TRUE(set.rows().empty());
  EXPECT_EQ(set.size(), 2U) << "rows() changes nothing";
  set.remove_settled();
  EXPECT_EQ(set.size(), 1U);
  set.back().reading = false;
  EXPECT_TRUE(set.settled());
  set.remove_settled();
  EXPECT_EQ(set.size(), 0U);
}

TEST(SegmentSet, ReachesBackToWhatItHasNotRead) {
  SegmentSet set;
  set.open(Class::kUrgent, {5}, true);
  EXPECT_FALSE(set.reaches_back_to({100})) << "what is caught up reads nothing";
  set.add(closed(Class::kNormal, 20, 50));
  EXPECT_FALSE(set.reaches_back_to({20}));
  EXPECT_TRUE(set.reaches_back_to({21}));
}

}  // namespace
}  // namespace eventhorn::delivery
