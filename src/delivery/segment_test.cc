#include "delivery/segment.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace eventhorn::delivery {
namespace {

using store::PositionRange;
using store::SegmentRow;

EventPtr make_event(uint64_t position) {
  auto e = std::make_shared<store::StoredEvent>();
  e->position = {position};
  e->event.name = event::Name::kDelivered;
  e->event.bytes = "four";
  return e;
}

store::LaneSlice slice_of(const std::vector<uint64_t>& positions, uint64_t through,
                          bool at_end = false) {
  store::LaneSlice out;
  for (const uint64_t p : positions) out.events.push_back(make_event(p));
  out.through = {through};
  out.at_end = at_end;
  return out;
}

Segment live_after(uint64_t position) {
  Segment segment(Class::kNormal, {position}, std::nullopt);
  segment.fill(slice_of({}, position, true));
  return segment;
}

// Starts and gives the next fresh entry.
Entry& started(Segment& segment) {
  Entry* entry = segment.next();
  segment.start(*entry);
  return *entry;
}

TEST(Segment, AckedThroughFollowsTheFirstThatIsNotSettled) {
  auto segment = live_after(0);
  for (const uint64_t p : {2, 4, 6}) ASSERT_TRUE(segment.offer(make_event(p), Hook::kDelivered));
  Entry& first = started(segment);
  Entry& second = started(segment);
  segment.settle(second);
  segment.check_invariants();
  EXPECT_EQ(segment.acked_through(), kNoPosition);
  EXPECT_EQ(segment.row().settled, (std::vector<PositionRange>{{{4}, {4}}}));
  segment.settle(first);
  EXPECT_EQ(segment.acked_through(), Position{4});
  EXPECT_FALSE(segment.settled());
  segment.settle(started(segment));
  EXPECT_TRUE(segment.settled());
  EXPECT_EQ(segment.acked_through(), Position{6});
  segment.check_invariants();
}

TEST(Segment, ADeferredEntryIsHeldAndNotTheNext) {
  auto segment = live_after(0);
  for (const uint64_t p : {1, 2}) ASSERT_TRUE(segment.offer(make_event(p), Hook::kDelivered));
  Entry& first = *segment.next();
  segment.defer(first);
  EXPECT_EQ(segment.next()->position, Position{2});
  EXPECT_EQ(segment.first_deferred(), &first);
  EXPECT_EQ(segment.held(), 2U);
  EXPECT_FALSE(segment.idle());
  segment.check_invariants();
  segment.start(first);
  EXPECT_EQ(segment.first_deferred(), nullptr);
  segment.give_back(first);
  first.has_turn = true;
  EXPECT_EQ(segment.first_deferred(), nullptr) << "it has its turn";
  ASSERT_EQ(segment.turns_behind(kNoPosition).size(), 1U);
  EXPECT_TRUE(segment.turns_behind({1}).empty());
  segment.check_invariants();
}

TEST(Segment, SpillKeepsWhatIsInFlightAndReadsTheRestAgain) {
  Segment segment(Class::kNormal, {0}, Position{20});
  segment.fill(slice_of({1, 2, 3, 4, 5, 6}, 10));
  std::vector<Entry*> entries;
  while (Entry* entry = segment.next()) {
    segment.start(*entry);
    entries.push_back(entry);
  }
  segment.settle(*entries[0]);
  segment.settle(*entries[2]);
  segment.settle(*entries[4]);
  segment.give_back(*entries[3]);
  segment.give_back(*entries[5]);
  EXPECT_EQ(segment.last_in_flight(), Position{2});
  segment.spill();
  segment.check_invariants();
  EXPECT_EQ(segment.read_through(), Position{2});
  EXPECT_EQ(segment.row().settled, (std::vector<PositionRange>{{{3}, {3}}, {{5}, {5}}}));
  segment.fill(slice_of({3, 4, 5, 6, 9}, 20));
  segment.check_invariants();
  std::vector<uint64_t> fresh;
  while (segment.next() != nullptr) fresh.push_back(started(segment).position.value);
  EXPECT_EQ(fresh, (std::vector<uint64_t>{4, 6, 9}));
}

// A read may end within a range that is settled: what is told of it stays disjoint, because counts
// take each range away.
TEST(Segment, SettledRangesStayDisjointWhereverAReadEnds) {
  Segment segment(SegmentRow{Class::kNormal, {0}, Position{40}, {5}, {{{10}, {20}}}});
  segment.fill(slice_of({6, 11, 12}, 12));
  segment.check_invariants();
  EXPECT_EQ(segment.row().settled, (std::vector<PositionRange>{{{11}, {12}}, {{13}, {20}}}));
  segment.spill();
  segment.check_invariants();
  segment.fill(slice_of({6, 11, 12, 19, 30}, 40));
  segment.check_invariants();
  EXPECT_EQ(started(segment).position, Position{6});
  EXPECT_EQ(started(segment).position, Position{30});
}

TEST(Segment, DropSettlesTheFreshOnesThatAreNotWanted) {
  auto segment = live_after(0);
  for (const uint64_t p : {1, 2, 3}) ASSERT_TRUE(segment.offer(make_event(p), Hook::kDelivered));
  Entry& first = started(segment);
  EXPECT_EQ(segment.drop([](const Entry& e) { return e.position <= Position{2}; }), 1U);
  segment.check_invariants();
  EXPECT_EQ(segment.next()->position, Position{3});
  segment.settle(first);
  EXPECT_EQ(segment.acked_through(), Position{2});
}

TEST(Segment, AwaitsWhatIsNeitherSettledNorCutOff) {
  Segment segment(SegmentRow{Class::kNormal, {0}, Position{20}, {5}, {{{8}, {9}}, {{12}, {12}}}});
  std::vector<uint64_t> awaited;
  for (uint64_t i = 4; i <= 22; ++i) {
    if (segment.awaits({i})) awaited.push_back(i);
  }
  EXPECT_EQ(awaited, (std::vector<uint64_t>{6, 7, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20}));
  segment.cancel();
  EXPECT_FALSE(segment.awaits({6}));
}

TEST(Segment, JoinTakesOverWhatIsLeftOfTheNext) {
  Segment segment(SegmentRow{Class::kNormal, {0}, Position{10}, {2}, {{{5}, {6}}}});
  const Segment next(SegmentRow{Class::kNormal, {10}, Position{30}, {20}, {{{25}, {26}}}});
  EXPECT_FALSE(Segment(next).join(segment)) << "they overlap";
  ASSERT_TRUE(segment.join(next));
  segment.check_invariants();
  EXPECT_EQ(segment.to(), Position{30});
  EXPECT_EQ(segment.row().settled,
            (std::vector<PositionRange>{{{5}, {6}}, {{11}, {20}}, {{25}, {26}}}));
}

TEST(Segment, SettleThroughTakesAllOfItAway) {
  Segment segment(SegmentRow{Class::kNormal, {0}, Position{40}, {2}, {{{5}, {6}}, {{10}, {20}}}});
  segment.fill(slice_of({3, 4}, 4));
  segment.settle_through({15});
  segment.check_invariants();
  EXPECT_EQ(segment.acked_through(), Position{15});
  EXPECT_EQ(segment.row().settled, (std::vector<PositionRange>{{{16}, {20}}}));
  segment.settle_through({99});
  EXPECT_EQ(segment.acked_through(), Position{40}) << "not beyond its end";
  EXPECT_TRUE(segment.settled());
}

TEST(Segment, OfACancelledOneOnlyWhatIsInFlightIsLeft) {
  auto segment = live_after(0);
  for (const uint64_t p : {1, 2, 3}) ASSERT_TRUE(segment.offer(make_event(p), Hook::kDelivered));
  Entry& first = started(segment);
  segment.defer(*segment.next());
  segment.cancel();
  segment.check_invariants();
  EXPECT_FALSE(segment.has_next());
  EXPECT_FALSE(segment.settled());
  segment.settle(first);
  EXPECT_TRUE(segment.settled());
}

TEST(Segment, OnlyWhatWasDeclinedKeepsItBehind) {
  auto segment = live_after(0);
  segment.decline({30});
  EXPECT_FALSE(segment.offer(make_event(31), Hook::kDelivered)) << "30 comes first";
  segment.fill(slice_of({}, 29, true));
  EXPECT_FALSE(segment.caught_up());
  segment.fill(slice_of({30, 31}, 40, true));
  EXPECT_TRUE(segment.caught_up());
  EXPECT_TRUE(segment.offer(make_event(31), Hook::kDelivered)) << "a read was faster";
  EXPECT_EQ(segment.fresh(), 2U);
  segment.check_invariants();
}

// What is done to a segment in any order: it tells exactly what is not settled.
TEST(Segment, RowAndWindowTogetherTellExactlyWhatIsNotSettled) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const uint64_t end = 20 + random() % 60;
    Segment segment(Class::kNormal, {0}, Position{end});
    std::set<uint64_t> unsettled;
    for (uint64_t p = 1; p <= end; ++p) unsettled.insert(p);
    std::vector<Entry*> in_flight;
    for (int step = 0; !unsettled.empty(); ++step) {
      ASSERT_LT(step, 10'000);
      switch (random() % 6) {
        case 0:
        case 1: {
          std::vector<uint64_t> read;
          const uint64_t from = segment.read_through().value + 1;
          for (uint64_t p = from; p <= end && p < from + 8; ++p) read.push_back(p);
          if (!read.empty()) segment.fill(slice_of(read, read.back()));
          break;
        }
        case 2:
        case 3:
          if (segment.next() == nullptr) break;
          EXPECT_TRUE(unsettled.contains(segment.next()->position.value));
          in_flight.push_back(&started(segment));
          break;
        case 4: {
          if (in_flight.empty()) break;
          const auto at =
              in_flight.begin() + static_cast<std::ptrdiff_t>(random() % in_flight.size());
          unsettled.erase((*at)->position.value);
          segment.settle(**at);
          in_flight.erase(at);
          break;
        }
        default:
          if (random() % 4 == 0) segment.spill();
          if (random() % 8 == 0) {
            in_flight.clear();
            segment = Segment(segment.row());  // the process was killed
          }
      }
      segment.check_invariants();
    }
    segment.fill(slice_of({}, end));  // what is settled is not read again
    EXPECT_TRUE(segment.settled());
    EXPECT_EQ(segment.acked_through(), Position{end});
  }
}

}  // namespace
}  // namespace eventhorn::delivery
