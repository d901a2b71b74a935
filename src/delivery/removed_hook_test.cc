// What a removed webhook leaves pending is dropped and counted, wherever it waits, and nothing of
// it comes back when the webhook is set again.
#include "delivery/engine_test_support.h"

#include <gmock/gmock.h>

namespace eventhorn::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RemovedHookTest : public EngineTest {
 protected:
  RemovedHookTest() { options_.health.max_concurrency = 1; }

  // Both names to one URL, so that its lane stays when one of them is removed.
  void set_both(Life& life) {
    life.set_hook("a.example", Hook::kDelivered, {kUrl});
    life.set_hook("a.example", Hook::kOpened, {kUrl});
  }

  void append_opened(Life& life, const std::vector<std::string>& ids) {
    life.append("a.example", ids, event::Name::kOpened);
  }

  bool wait_for_dropped(double count) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (dropped_.value() < before_ + count && std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    return dropped_.value() == before_ + count;
  }

  const std::string kUrl = "http://one/";
  metrics::Counter dropped_ = metrics::counter("eventhorn_dropped_total", "");
  double before_ = dropped_.value();
};

TEST_F(RemovedHookTest, WhatWaitsInMemory) {
  sender_.hold(true);
  auto life = start();
  set_both(life);
  life.append("a.example", range("d", 10));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 1; }));
  append_opened(life, range("o", 3));
  life.set_hook("a.example", Hook::kDelivered, {});
  EXPECT_TRUE(wait_for_dropped(9)) << "all but the one under way: " << dropped_.value() - before_;
  sender_.hold(false);
  ASSERT_TRUE(sender_.wait_for(4));
  life.stop();
  EXPECT_THAT(sender_.ids(kUrl), ElementsAre("d0", "o0", "o1", "o2"));
  EXPECT_EQ(dropped_.value() - before_, 9) << "what is under way gets through";
}

TEST_F(RemovedHookTest, WhatWaitsInTheLog) {
  auto life = start();
  set_both(life);
  ASSERT_TRUE(life.run(life.deliveries().pause(kUrl)));
  life.append("a.example", range("d", 10));
  append_opened(life, range("o", 3));
  life.set_hook("a.example", Hook::kDelivered, {});
  EXPECT_TRUE(wait_for_dropped(10)) << dropped_.value() - before_;
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"after"});
  ASSERT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(sender_.wait_for(4));
  life.stop();
  EXPECT_EQ(as_set(sender_.ids(kUrl)), (std::set<std::string>{"after", "o0", "o1", "o2"}));
  EXPECT_EQ(dropped_.value() - before_, 10);
}

TEST_F(RemovedHookTest, WhatWaitsForARetry) {
  options_.schedule = webhook::RetrySchedule({std::chrono::hours(1)}, 0);
  sender_.script(kUrl, "d", {500});
  auto life = start();
  set_both(life);
  life.append("a.example", {"d"});
  append_opened(life, {"o"});
  ASSERT_TRUE(sender_.wait_for(2));
  life.set_hook("a.example", Hook::kDelivered, {});
  EXPECT_TRUE(wait_for_dropped(1)) << dropped_.value() - before_;
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  const auto lane = life.domain("a.example")->lanes.front();
  const auto status =
      life.run(life.deliveries().lane(lane.id, life.domain("a.example")->uid, kUrl));
  EXPECT_EQ(status.waiting, 0U);
  EXPECT_THAT(*life.store().read_exceptions(lane.id, kNoPosition, 10, false), IsEmpty());
}

// A power cut takes back that it was dropped, but not the change.
TEST_F(RemovedHookTest, WhatWaitsForARetryIsGoneAfterACrashToo) {
  LaneId lane;
  {
    auto life = start();
    set_both(life);
    life.append("a.example", {"d"});
    ASSERT_TRUE(sender_.wait_for(1));
    const Position event = life.store().head();
    life.set_hook("a.example", Hook::kDelivered, {});
    lane = life.domain("a.example")->lanes.front().id;
    ASSERT_TRUE(life.wait_until_saved());
    store::Progress lost;
    lost.exceptions = {
        {lane, event, false, 1, SystemClock().now(), std::chrono::hours(1), 500, Hook::kDelivered}};
    const store::Progress* const rows[] = {&lost};
    ASSERT_TRUE(life.store().save(rows));
  }
  auto life = start();
  const auto none = [&] {
    return life.store().read_exceptions(lane, kNoPosition, 10, false)->empty();
  };
  EXPECT_TRUE(life.until(none));
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  const auto uid = life.domain("a.example")->uid;
  EXPECT_EQ(life.run(life.deliveries().lane(lane, uid, kUrl)).waiting, 0U);
}

// Set again before the crash, the webhook begins anew all the same.
TEST_F(RemovedHookTest, WhatWaitedForARetryDoesNotComeBackWithTheWebhook) {
  LaneId lane;
  {
    auto life = start();
    set_both(life);
    life.append("a.example", {"d"});
    ASSERT_TRUE(sender_.wait_for(1));
    const Position event = life.store().head();
    const auto since = life.domain("a.example")->hooks[static_cast<size_t>(Hook::kDelivered)];
    ASSERT_EQ(since.size(), 1U);
    life.set_hook("a.example", Hook::kDelivered, {});
    life.set_hook("a.example", Hook::kDelivered, {kUrl});
    lane = life.domain("a.example")->lanes.front().id;
    ASSERT_TRUE(life.wait_until_saved());
    store::Progress lost;
    lost.exceptions = {{lane, event, false, 1, SystemClock().now(), std::chrono::hours(1), 500,
                        Hook::kDelivered, since.front().since}};
    const store::Progress* const rows[] = {&lost};
    ASSERT_TRUE(life.store().save(rows));
  }
  auto life = start();
  const auto uid = life.domain("a.example")->uid;
  EXPECT_EQ(life.run(life.deliveries().lane(lane, uid, kUrl)).waiting, 0U);
}

// A kill would prevent that its attempt settles it.
TEST_F(RemovedHookTest, TheRowOfARetryUnderWayIsGoneAtOnce) {
  options_.schedule = webhook::RetrySchedule({std::chrono::hours(1)}, 0);
  sender_.script(kUrl, "d", {500});
  auto life = start();
  set_both(life);
  life.append("a.example", {"d"});
  const auto lane = life.domain("a.example")->lanes.front().id;
  const auto rows = [&] {
    return life.store().read_exceptions(lane, kNoPosition, 10, false)->size();
  };
  ASSERT_TRUE(life.until([&] { return rows() == 1; }));
  sender_.hold(true);
  ASSERT_TRUE(life.run(life.deliveries().pause(kUrl)));
  ASSERT_TRUE(life.run(life.deliveries().resume(kUrl)));  // which brings retries forward
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 1; }));
  life.set_hook("a.example", Hook::kDelivered, {});
  EXPECT_TRUE(life.until([&] { return rows() == 0; })) << "while the attempt is under way";
  sender_.hold(false);
}

TEST_F(RemovedHookTest, WhatFailsOnItsWay) {
  sender_.script(kUrl, "d", {500});
  sender_.hold(true);
  auto life = start();
  set_both(life);
  life.append("a.example", {"d"});
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 1; }));
  life.set_hook("a.example", Hook::kDelivered, {});
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  sender_.hold(false);
  EXPECT_TRUE(wait_for_dropped(1)) << dropped_.value() - before_;
  life.append("a.example", {"after"});
  ASSERT_TRUE(sender_.wait_for(2));
  life.stop();
  EXPECT_THAT(sender_.ids(kUrl), ElementsAre("d", "after"));
}

// A first attempt, and then nothing of the lane is left.
TEST_F(RemovedHookTest, TheWholeLane) {
  options_.schedule = webhook::RetrySchedule({std::chrono::hours(1)}, 0);
  sender_.script(kUrl, "d0", {500});
  auto life = start();
  set_both(life);
  life.append("a.example", {"d0", "d1"});
  ASSERT_TRUE(sender_.wait_for(2));
  sender_.script(kUrl, "d2", {500});
  sender_.hold(true);
  life.append("a.example", {"d2", "d3", "d4"});
  append_opened(life, {"o0"});
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 1; }));
  life.delete_domain("a.example");
  EXPECT_TRUE(wait_for_dropped(4)) << "d0, d3, d4, o0: " << dropped_.value() - before_;
  sender_.hold(false);
  EXPECT_TRUE(wait_for_dropped(5)) << "and d2, which failed: " << dropped_.value() - before_;
  life.stop();
  EXPECT_THAT(sender_.ids(kUrl), ElementsAre("d0", "d1", "d2"));
}

// A URL that stays keeps everything.
TEST_F(RemovedHookTest, SetAgainWithoutBeingRemovedDropsNothing) {
  auto life = start();
  set_both(life);
  ASSERT_TRUE(life.run(life.deliveries().pause(kUrl)));
  life.append("a.example", range("d", 3));
  life.set_hook("a.example", Hook::kDelivered, {kUrl, "http://two/"});
  ASSERT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(sender_.wait_for(3));
  life.stop();
  EXPECT_EQ(sender_.ids(kUrl).size(), 3U);
  EXPECT_EQ(dropped_.value(), before_);
}

}  // namespace
}  // namespace eventhorn::delivery
