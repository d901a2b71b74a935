// Events and indexes that cannot be read cost themselves alone, and are told (reliability C14).
#include "delivery/engine_test_support.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace eventhorn::delivery {
namespace {

using control::NoticeKind;
using ::testing::Contains;

class UnreadableTest : public EngineTest {
 protected:
  UnreadableTest() { options_.between_reads = 300ms; }

  const std::string kUrl = "http://one/";

  static LaneId lane(Life& life) { return life.domain("a.example")->lanes.front().id; }

  static size_t missed(Life& life) {
    const auto rows = life.store().read_exceptions(lane(life), kNoPosition, 100, true);
    return rows ? rows->size() : 0;
  }
};

TEST_F(UnreadableTest, C14ARetryThatCannotBeReadIsMissedAndHoldsNobody) {
  options_.schedule = webhook::RetrySchedule({10ms}, 0);
  sender_.script(kUrl, "bad", {500, 500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  sender_.hold(true);
  life.append("a.example", {"bad"});
  life.watched().damage(life.store().head());
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(1));
  const auto counter = metrics::counter("eventhorn_missed_total", "");
  const double before = counter.value();
  size_t between = 0;  // events that get through between the first read and the next
  for (size_t others = 0; missed(life) == 0 && others < 100'000; ++others) {
    const bool after_first = life.watched().failed_reads() == 1;
    life.append("a.example", {"good" + std::to_string(others)});
    ASSERT_TRUE(sender_.wait_for(others + 2));
    between += after_first && life.watched().failed_reads() == 1 ? 1 : 0;
  }
  EXPECT_EQ(missed(life), 1U);
  EXPECT_EQ(life.watched().failed_reads(), 3U);
  EXPECT_GT(between, 5U) << "the endpoint is not held";
  EXPECT_EQ(life.endpoint(kUrl).waiting, 0U);
  EXPECT_TRUE(life.until([&] { return counter.value() - before == 1; }));
  EXPECT_THAT(life.notices(), Contains(NoticeKind::kMissed));
  const auto attempts = life.store().last_attempts(lane(life), SystemTime::max(), 1000);
  ASSERT_TRUE(attempts);
  const auto why = std::ranges::find(*attempts, "unreadable", &store::AttemptRow::failure);
  ASSERT_NE(why, attempts->end());
  EXPECT_EQ(why->error, "the record is damaged");
  EXPECT_GT(why->written, why->at - 1min) << "it is kept as long as others";
}

// Nor does a probe read it before its time, or wait for it.
TEST_F(UnreadableTest, C14AParkedEndpointIsProbedWithWhatCanBeRead) {
  options_.schedule = webhook::RetrySchedule({1h}, 0);
  options_.between_reads = 1h;
  options_.health.park_after_failures = 1;
  options_.health.park_after = 0ms;
  options_.health.probe_interval = options_.health.probe_max_interval = 1ms;
  sender_.script(kUrl, "", {500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"bad"});
  ASSERT_TRUE(life.wait_for_state(kUrl, control::EndpointState::kParked));
  const Position bad = life.store().head();
  life.append("a.example", {"good"});
  life.watched().damage(bad);
  ASSERT_TRUE(life.until([&] { return life.watched().failed_reads() > 0; }));
  ASSERT_TRUE(sender_.wait_for(sender_.ids(kUrl).size() + 20));
  EXPECT_EQ(life.watched().failed_reads(), 1U);
  EXPECT_EQ(life.endpoint(kUrl).waiting, 2U);
}

// A lane that reads the log goes on beside what it cannot read, and that gets through later if it
// can be read then.
TEST_F(UnreadableTest, C14ABacklogGoesOnWithoutWhatCannotBeRead) {
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  EXPECT_TRUE(life.run(life.deliveries().pause(kUrl)));
  life.append("a.example", range("e", 100));
  const Position head = life.store().head();
  life.watched().damage({head.value - 50});
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(sender_.wait_for(99));
  EXPECT_FALSE(as_set(sender_.ids(kUrl)).contains("e49"));
  EXPECT_EQ(life.endpoint(kUrl).waiting, 1U) << "not settled";
  EXPECT_TRUE(life.until([&] { return missed(life) == 1; }));
  EXPECT_EQ(life.endpoint(kUrl).waiting, 0U);
}

// What cannot be read because the disk does not answer is not damaged.
TEST_F(UnreadableTest, C14ARetryWaitsForADiskThatIsAway) {
  options_.schedule = webhook::RetrySchedule({10ms}, 0);
  options_.between_reads = 1ms;
  sender_.script(kUrl, "late", {500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  sender_.hold(true);
  life.append("a.example", {"late"});
  life.watched().fail_by(Errc::kUnavailable);
  life.watched().damage(life.store().head());
  sender_.hold(false);
  ASSERT_TRUE(life.until([&] { return life.watched().failed_reads() > 20; }));
  EXPECT_EQ(life.endpoint(kUrl).waiting, 1U);
  life.watched().heal();
  ASSERT_TRUE(sender_.wait_for(2));
  EXPECT_EQ(missed(life), 0U);
}

TEST_F(UnreadableTest, C14ABacklogWaitsForADiskThatIsAway) {
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  EXPECT_TRUE(life.run(life.deliveries().pause(kUrl)));
  life.append("a.example", range("e", 100));
  const Position head = life.store().head();
  for (uint64_t i = 0; i < 100; ++i) life.watched().damage({head.value - i});
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(life.until([&] { return life.endpoint(kUrl).reason.starts_with("cannot read"); }));
  life.watched().heal();
  ASSERT_TRUE(sender_.wait_for(100));
  EXPECT_EQ(life.watched().failed_reads(), 0U) << "none was set aside";
}

TEST_F(UnreadableTest, C14WhatIsSettledNeedsNotBeRead) {
  sender_.hold_id("first");
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"first", "settled"});
  ASSERT_TRUE(sender_.wait_for(1));
  life.watched().damage(life.store().head());
  EXPECT_TRUE(life.run(life.deliveries().pause(kUrl)));
  life.append("a.example", {"later"});
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  sender_.hold_id("");
  ASSERT_TRUE(sender_.wait_for(3));
  EXPECT_THAT(sender_.ids(kUrl), ::testing::UnorderedElementsAre("first", "settled", "later"));
  EXPECT_EQ(life.endpoint(kUrl).waiting, 0U);
}

TEST_F(UnreadableTest, C14ALaneThatCannotBeReadSaysSoAndSkipsNothing) {
  const auto gauge = metrics::gauge("eventhorn_lanes_unreadable", "");
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  EXPECT_TRUE(life.run(life.deliveries().pause(kUrl)));
  life.append("a.example", range("e", 100));
  life.watched().fail_lanes(true);
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  const auto error = [&] {
    const auto lanes = life.run(life.deliveries().lanes_of(kUrl));
    return lanes.empty() ? "" : lanes.front().read_error;
  };
  ASSERT_TRUE(life.until([&] { return error() == "the index is damaged"; }));
  EXPECT_EQ(life.endpoint(kUrl).reason, "cannot read the log: the index is damaged");
  EXPECT_EQ(gauge.value(), 1);
  EXPECT_THAT(life.notices(), Contains(NoticeKind::kUnreadable));
  life.watched().fail_lanes(false);
  ASSERT_TRUE(sender_.wait_for(100));
  EXPECT_EQ(error(), "");
  EXPECT_EQ(gauge.value(), 0);
}

}  // namespace
}  // namespace eventhorn::delivery
