// Replays and attempts made again by an operator.
#include "delivery/engine_test_support.h"

#include <gmock/gmock.h>

namespace eventhorn::delivery {
namespace {

using control::ReplayAction;
using Source = store::SegmentRow::Source;

class ReplayTest : public EngineTest {
 protected:
  LaneId lane(Life& life) { return life.domain("a.example")->lanes.front().id; }

  static store::SegmentRow segment(Life& life, Source source = Source::kLog) {
    store::SegmentRow out;
    out.cls = webhook::Class::kNormal;
    out.to = life.store().head();
    out.replay = 9;
    out.source = source;
    return out;
  }

  Status add(Life& life, const store::SegmentRow& row) {
    return life.run(
        life.deliveries().add_segments(lane(life), life.domain("a.example")->uid, kUrl, {row}));
  }

  size_t replays(Life& life) {
    size_t out = 0;
    for (const auto& status : life.run(life.deliveries().replaying())) {
      for (const auto& s : status.segments) out += s.replay == 9 ? 1 : 0;
    }
    return out;
  }

  void deliver(Life& life, size_t count) {
    life.set_hook("a.example", Hook::kDelivered, {kUrl});
    life.append("a.example", range("e", count));
    ASSERT_TRUE(sender_.wait_for(count));
  }

  const std::string kUrl = "http://one/";
};

TEST_F(ReplayTest, SendsARangeOnceMore) {
  auto life = start();
  deliver(life, 300);
  ASSERT_TRUE(add(life, segment(life)));
  ASSERT_TRUE(sender_.wait_for(600));
  life.stop();
  EXPECT_EQ(sender_.ids(kUrl).size(), 600U);
  auto next = start();
  EXPECT_TRUE(next.loaded().lanes.empty());
}

TEST_F(ReplayTest, HeldSurvivesARestartAndGoesOn) {
  {
    auto life = start();
    deliver(life, 300);
    auto row = segment(life);
    row.paused = true;
    ASSERT_TRUE(add(life, row));
    EXPECT_EQ(replays(life), 1U);
  }
  auto life = start();
  EXPECT_EQ(sender_.ids(kUrl).size(), 300U);
  EXPECT_EQ(replays(life), 1U);
  ASSERT_TRUE(life.run(life.deliveries().change_replay(9, ReplayAction::kResume)));
  ASSERT_TRUE(sender_.wait_for(600));
}

TEST_F(ReplayTest, CancelledSendsNoMoreThanIsInFlight) {
  auto life = start();
  deliver(life, 300);
  sender_.hold(true);
  ASSERT_TRUE(add(life, segment(life)));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight > 0; }));
  ASSERT_TRUE(life.run(life.deliveries().change_replay(9, ReplayAction::kCancel)));
  sender_.hold(false);
  life.append("a.example", {"marker"});
  ASSERT_TRUE(sender_.wait([](const auto& sent, size_t) {
    return std::any_of(sent.begin(), sent.end(), [](const auto& s) { return s.id == "marker"; });
  }));
  while (replays(life) > 0) std::this_thread::yield();  // those in flight end
  life.stop();
  EXPECT_LT(sender_.ids(kUrl).size(), 300U + 70U);
}

TEST_F(ReplayTest, MissedAreSentAndNoLongerMissed) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  auto life = start();
  sender_.script(kUrl, "e3", {500});
  sender_.script(kUrl, "e7", {500});
  deliver(life, 20);
  ASSERT_TRUE(life.wait_until_saved());
  ASSERT_TRUE(add(life, segment(life, Source::kMissed)));
  ASSERT_TRUE(sender_.wait_for(22));
  life.stop();
  const auto ids = sender_.ids(kUrl);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "e3"), 2);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), "e7"), 2);
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 0U);
}

TEST_F(ReplayTest, AttemptAgainSendsNowWhateverBecameOfTheEvent) {
  options_.schedule = webhook::RetrySchedule({std::chrono::hours(1)}, 0);
  auto life = start();
  sender_.script(kUrl, "e1", {500});
  deliver(life, 3);
  const auto id = lane(life);
  store::LaneQuery query;
  query.domain = life.domain("a.example")->uid;
  query.cls = webhook::Class::kNormal;
  query.since.fill(kNoPosition);
  auto slice = life.store().read_lane(query);
  ASSERT_TRUE(slice);
  ASSERT_EQ(slice->events.size(), 3U);
  slice->events.resize(2);  // e0 was delivered, e1 waits
  ASSERT_TRUE(life.run(life.deliveries().attempt_again(id, kUrl, slice->events)));
  ASSERT_TRUE(sender_.wait_for(5));
  life.stop();
  EXPECT_EQ(sender_.ids(kUrl).size(), 5U);
  auto next = start();
  EXPECT_TRUE(next.loaded().waiting.empty());
}

TEST_F(ReplayTest, SegmentsOfALaneAreBoundedAndALaneThatIsGoneIsSaid) {
  auto life = start();
  deliver(life, 5);
  auto row = segment(life);
  row.paused = true;
  for (size_t i = 0; i < control::kMaxReplaySegments; ++i) ASSERT_TRUE(add(life, row));
  const auto refused = add(life, row);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kRateLimited);
  const auto unknown = life.run(
      life.deliveries().add_segments({987654}, life.domain("a.example")->uid, kUrl, {row}));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kNotFound);
}

// What a lane shows as settled is readable as such in the store.
TEST_F(ReplayTest, LaneStatusHoldsWithTheStore) {
  options_.schedule = webhook::RetrySchedule({std::chrono::hours(1)}, 0);
  auto life = start();
  sender_.script(kUrl, "e5", {500});
  deliver(life, 50);
  const auto status =
      life.run(life.deliveries().lane(lane(life), life.domain("a.example")->uid, kUrl));
  EXPECT_GE(status.through, life.store().head());
  const auto rows = life.store().read_exceptions(lane(life), kNoPosition, 100, false);
  ASSERT_TRUE(rows);
  size_t unsettled = rows->size();
  for (const auto& s : status.segments) unsettled += s.acked_through < status.through ? 1 : 0;
  EXPECT_GE(unsettled, 1U);
}

// A replay of what was delivered costs the store nothing for each event; what was missed is struck
// off the list.
TEST_F(ReplayTest, ARangeStrikesOffOnlyWhatWasMissed) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  sender_.script(kUrl, "e7", {500});
  {
    auto life = start();
    deliver(life, 300);
  }
  auto life = start();
  ASSERT_EQ(life.loaded().missed, 1U);
  const size_t before = life.watched().ended_exceptions();
  ASSERT_TRUE(add(life, segment(life)));
  ASSERT_TRUE(sender_.wait_for(600));
  ASSERT_TRUE(life.until([&] { return replays(life) == 0; }));
  ASSERT_TRUE(life.run(life.deliveries().pause(kUrl))) << "it saves what is known";
  EXPECT_EQ(life.watched().ended_exceptions() - before, 1U);
  life.stop();
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 0U);
}

// Also of what was missed a moment before.
TEST_F(ReplayTest, AMissOfAMomentAgoIsStruckOffToo) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  options_.save_interval = 100ms;
  sender_.script(kUrl, "e7", {500});
  auto life = start();
  deliver(life, 50);
  ASSERT_TRUE(add(life, segment(life)));
  ASSERT_TRUE(sender_.wait_for(100));
  life.stop();
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 0U);
}

}  // namespace
}  // namespace eventhorn::delivery
