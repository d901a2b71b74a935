// Bounds on what waits for a retry.
#include "delivery/engine_test_support.h"

namespace eventhorn::delivery {
namespace {

class WaitingTest : public EngineTest {
 protected:
  WaitingTest() {
    options_.schedule = webhook::RetrySchedule({10min}, 0);
    options_.health.park_after = 1h;
  }

  static std::string url(int n) { return "http://bad" + std::to_string(n) + "/"; }

  // So many URLs that fail, each with as many events waiting as it may have.
  void crowd(Life& life, int urls) {
    for (int n = 0; n < urls; ++n) {
      const std::string domain = "bad" + std::to_string(n) + ".example";
      sender_.script(url(n), "", {500});
      life.set_hook(domain, Hook::kDelivered, {url(n)});
      life.append(domain, range("b", 50));
    }
    for (int n = 0; n < urls; ++n)
      ASSERT_TRUE(life.wait_for_state(url(n), control::EndpointState::kThrottled));
  }
};

// Reliability L16: while more wait in all than may, it is those with most who are held.
TEST_F(WaitingTest, L16OneFailureOfAGoodReceiverDoesNotStopItOnACrowdedCore) {
  options_.max_waiting = 30;
  options_.max_exceptions = 20;
  auto life = start();
  crowd(life, 3);
  life.set_hook("good.example", Hook::kDelivered, {"http://good/"});
  sender_.script("http://good/", "first", {500});
  life.append("good.example", {"first"});
  ASSERT_TRUE(life.until([&] { return life.endpoint("http://good/").waiting == 1; }));
  life.append("good.example", range("g", 10));
  EXPECT_TRUE(life.until([&] { return sender_.ids("http://good/").size() == 11; }));
}

// And whoever is new, or was not well at the start, has a few as well.
TEST_F(WaitingTest, L16EveryLaneMayHaveAFewWaiting) {
  options_.max_waiting = 4;
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {url(0)});
  sender_.script(url(0), "", {500});
  life.append("a.example", range("e", 50));
  ASSERT_TRUE(life.wait_for_state(url(0), control::EndpointState::kThrottled));
  EXPECT_GE(life.endpoint(url(0)).waiting, 16U);
  EXPECT_LE(life.endpoint(url(0)).waiting, 16U + 4U);
}

// Probes of a parked endpoint take what waits already once that is as much as may.
TEST_F(WaitingTest, ProbesKeepToTheBound) {
  options_.max_exceptions = 6;
  options_.health.park_after = 0ms;
  options_.health.park_after_failures = 1;
  options_.health.probe_interval = 5ms;
  options_.health.probe_max_interval = 5ms;
  auto life = start();
  sender_.script(url(0), "", {500});
  life.set_hook("a.example", Hook::kDelivered, {url(0)});
  life.append("a.example", range("e", 100));
  ASSERT_TRUE(sender_.wait_for(40));
  EXPECT_GE(life.endpoint(url(0)).waiting, 6U);
  EXPECT_LE(life.endpoint(url(0)).waiting, 6U + 4U) << "and those under way when it was parked";
}

TEST_F(WaitingTest, EventsAskedForAgainKeepToTheBound) {
  options_.max_exceptions = 2;
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {url(0)});
  life.append("a.example", range("e", 3));
  ASSERT_TRUE(sender_.wait_for(3));
  const auto domain = life.domain("a.example");
  const auto lane = domain->lanes.front().id;
  const Position head = life.store().head();
  const auto events = life.store().read_events({{head.value - 2}, {head.value - 1}, head});
  ASSERT_TRUE(events);
  const auto refused = life.run(life.deliveries().attempt_again(lane, url(0), *events));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kRateLimited);
  EXPECT_TRUE(life.run(life.deliveries().attempt_again(lane, url(0), {events->front()})));
  EXPECT_TRUE(sender_.wait_for(4));
}

}  // namespace
}  // namespace eventhorn::delivery
