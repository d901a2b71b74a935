// Endpoints that fail, hang, go and come back.
#include "delivery/engine_test_support.h"

#include <gmock/gmock.h>

namespace eventhorn::delivery {
namespace {

using control::EndpointState;
using control::NoticeKind;
using ::testing::ElementsAre;

class ParkingTest : public EngineTest {
 protected:
  ParkingTest() {
    options_.schedule = webhook::RetrySchedule({std::chrono::hours(1)}, 0);
    options_.health.park_after_failures = 5;
    options_.health.park_after = 20ms;
    options_.health.probe_interval = 10ms;
    options_.health.probe_max_interval = 40ms;
    options_.health.slow_start = 200ms;
  }

  void park(Life& life) {
    sender_.script(kUrl, "", {500});
    life.set_hook("a.example", Hook::kDelivered, {kUrl});
    life.append("a.example", range("first", 10));
    ASSERT_TRUE(life.wait_for_state(kUrl, EndpointState::kParked));
  }

  size_t count(const std::string& id) {
    const auto ids = sender_.ids(kUrl);
    return static_cast<size_t>(std::count(ids.begin(), ids.end(), id));
  }

  const std::string kUrl = "http://one/";
};

// Reliability R21: an endpoint that only fails is parked, keeps what comes, and gets it when it is
// back.
TEST_F(ParkingTest, ParkedEndpointGetsProbesOnlyAndEverythingOnReturn) {
  auto life = start();
  park(life);
  EXPECT_EQ(life.endpoint(kUrl).reason, "HTTP status 500");
  const size_t before = sender_.ids(kUrl).size();
  life.append("a.example", range("later", 3000));
  ASSERT_TRUE(sender_.wait_for(before + 5)) << "probes go on";
  EXPECT_LT(sender_.ids(kUrl).size(), before + 100);
  const auto lanes = life.run(life.deliveries().lanes_of(kUrl));
  ASSERT_EQ(lanes.size(), 1U);
  EXPECT_LE(lanes[0].segments.size(), 2U) << "however many events: a range";
  sender_.script(kUrl, "", {200});
  ASSERT_TRUE(sender_.wait([&](const auto& sent, size_t) {
    std::set<std::string> later;
    for (const auto& s : sent) {
      if (s.id.starts_with("later")) later.insert(s.id);
    }
    return later.size() == 3000;
  }));
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kActive);
  EXPECT_THAT(life.notices(), ElementsAre(NoticeKind::kParked, NoticeKind::kReturned));
}

// A probe that fails counts as an attempt only once another event has got through: with one retry
// allowed and many probes, nothing is missed.
TEST_F(ParkingTest, ProbesBurnNoAttempts) {
  options_.schedule = webhook::RetrySchedule({1ms}, 0);
  options_.health.park_after = 0ms;
  options_.health.park_after_failures = 1;
  auto life = start();
  sender_.script(kUrl, "", {500});
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"a"});
  ASSERT_TRUE(sender_.wait_for(10));
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kParked);
  EXPECT_EQ(life.endpoint(kUrl).waiting, 1U);
  sender_.script(kUrl, "", {200});
  ASSERT_TRUE(life.wait_for_state(kUrl, EndpointState::kActive));
  life.stop();
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 0U);
  EXPECT_TRUE(next.loaded().waiting.empty());
}

// One poison event among good ones neither parks the endpoint nor is kept from being missed.
TEST_F(ParkingTest, PoisonEventHurtsOnlyItself) {
  options_.schedule = webhook::RetrySchedule({1ms, 1ms, 1ms, 1ms, 1ms, 1ms, 1ms}, 0);
  options_.health.park_after = 10min;  // a machine that is busy for a while parks nobody
  sender_.script(kUrl, "poison", std::deque<int>(100, 500));
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"poison"});
  for (int i = 0; i < 50; ++i) life.append("a.example", range("good" + std::to_string(i), 10));
  ASSERT_TRUE(sender_.wait_for(508));
  EXPECT_EQ(count("poison"), 8U);
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kActive);
}

TEST_F(ParkingTest, ParkingSurvivesARestart) {
  options_.health.probe_interval = 10min;
  options_.health.probe_max_interval = 10min;
  {
    auto life = start();
    park(life);
    life.append("a.example", range("later", 100));
  }
  const size_t before = sender_.ids(kUrl).size();
  sender_.script(kUrl, "", {200});
  auto life = start();
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kParked);
  EXPECT_EQ(life.endpoint(kUrl).reason, "HTTP status 500");
  EXPECT_TRUE(life.endpoint(kUrl).next_attempt);
  EXPECT_TRUE(life.endpoint(kUrl).last_failure);
  EXPECT_GE(life.endpoint(kUrl).failures_in_row, options_.health.park_after_failures);
  EXPECT_EQ(sender_.ids(kUrl).size(), before);
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(sender_.wait([&](const auto& sent, size_t) { return sent.size() >= before + 110; }));
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kActive);
}

TEST_F(ParkingTest, PausedUntilResumedEvenAfterARestart) {
  {
    auto life = start();
    life.set_hook("a.example", Hook::kDelivered, {kUrl, "http://two/"});
    EXPECT_TRUE(life.run(life.deliveries().pause(kUrl)));
    life.append("a.example", range("e", 50));
    ASSERT_TRUE(sender_.wait_for(50));
  }
  EXPECT_TRUE(sender_.ids(kUrl).empty());
  auto life = start();
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kPaused);
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(sender_.wait_for(100));
  EXPECT_EQ(as_set(sender_.ids(kUrl)).size(), 50U);
  EXPECT_EQ(sender_.ids(kUrl).size(), 50U);
}

// Whoever has failed its way to the bound sends retries only; what comes waits as a range.
TEST_F(ParkingTest, ThrottledWhenTooManyWait) {
  options_.health.park_after = 1h;
  options_.max_exceptions = 20;
  sender_.script(kUrl, "", {500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", range("e", 100));
  ASSERT_TRUE(life.wait_for_state(kUrl, EndpointState::kThrottled));
  EXPECT_LE(life.endpoint(kUrl).waiting, 20U + 4U);
  const auto lanes = life.run(life.deliveries().lanes_of(kUrl));
  ASSERT_EQ(lanes.size(), 1U);
  EXPECT_TRUE(lanes[0].throttled);
  life.stop();
  EXPECT_LE(as_set(sender_.ids(kUrl)).size(), 24U);
}

// Reliability R22 and the noisy neighbour: receivers that hang leave room for the one that answers.
TEST_F(ParkingTest, HangingReceiversLeaveRoomForOthers) {
  options_.max_in_flight = 16;
  options_.health.park_after = 1h;
  sender_.hold_url("http://hole");
  auto life = start();
  life.set_hook("good.example", Hook::kDelivered, {"http://good/"});
  life.append("good.example", {"first"});
  ASSERT_TRUE(sender_.wait_for(1));
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    life.set_hook("h" + n + ".example", Hook::kDelivered, {"http://hole" + n + "/"});
    life.append("h" + n + ".example", range("e", 20));
  }
  life.append("good.example", range("g", 500));
  ASSERT_TRUE(sender_.wait_for(501));
  EXPECT_EQ(sender_.ids("http://good/").size(), 501U);
  sender_.hold_url("");
}

// An endpoint that begins to hang while it waits for a place is passed over by those that are well.
TEST_F(ParkingTest, WhoeverHangsWhileItWaitsHoldsUpNobody) {
  options_.max_in_flight = 8;
  options_.health.park_after = 1h;
  auto life = start();
  for (const std::string name : {"hanging", "slow", "good"}) {
    life.set_hook(name + ".example", Hook::kDelivered, {"http://" + name + "/"});
    life.append(name + ".example", {name});
  }
  ASSERT_TRUE(sender_.wait_for(3)) << "all three are known to be well";
  sender_.hold_url("http://hang");
  sender_.hold_id("slow-2");
  for (int i = 0; i < 6; ++i) {
    const std::string n = std::to_string(i);
    life.set_hook("h" + n + ".example", Hook::kDelivered, {"http://hang" + n + "/"});
    life.append("h" + n + ".example", {"hole"});
  }
  life.append("hanging.example", {"hanging-2"});
  life.append("slow.example", {"slow-2"});
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 8; }));
  const auto doubted = std::chrono::steady_clock::now() + 1100ms;
  life.append("hanging.example", {"hanging-3"});
  life.append("good.example", {"good-2"});
  while (std::chrono::steady_clock::now() < doubted) std::this_thread::yield();
  sender_.hold_id("");
  EXPECT_TRUE(sender_.wait_for(5)) << "slow-2 made room for good-2";
  sender_.hold_url("");
}

TEST_F(ParkingTest, FaultsOfOursAreNotHeldAgainstTheReceiver) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  options_.health.park_after = 0ms;
  options_.health.park_after_failures = 1;
  sender_.fail_by(webhook::FailureKind::kProxy);
  sender_.script(kUrl, "a", {0});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"a"});
  ASSERT_TRUE(sender_.wait_for(2)) << "the same attempt again, a second later";
  EXPECT_EQ(life.endpoint(kUrl).state, EndpointState::kActive);
  EXPECT_TRUE(life.notices().empty());
}

// The first miss of an outage is told, and the first of the next one.
TEST_F(ParkingTest, MissesOfOneOutageAreToldOnce) {
  options_.schedule = webhook::RetrySchedule(std::vector<std::chrono::milliseconds>{});
  options_.health.park_after = 1h;
  sender_.script(kUrl, "", {500});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  for (int i = 0; i < 3; ++i) {
    life.append("a.example", {"lost" + std::to_string(i)});
    ASSERT_TRUE(sender_.wait_for(static_cast<size_t>(i) + 1));
  }
  life.stop();
  EXPECT_THAT(life.notices(), ElementsAre(NoticeKind::kMissed));
}

// Changes of settings may overtake each other on their way: the last one counts.
TEST_F(ParkingTest, SettingsThatComeLateChangeNothing) {
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  store::EndpointSettings first, second;
  first.max_concurrency = 1;
  second.max_concurrency = 3;
  life.run(life.deliveries().settings_changed(kUrl, second, 2));
  life.run(life.deliveries().settings_changed(kUrl, first, 1));
  sender_.hold(true);
  life.append("a.example", range("e", 20));
  EXPECT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 3; }));
  sender_.hold(false);
}

TEST_F(ParkingTest, SettingsOfAUrlApplyAtOnce) {
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  store::EndpointSettings settings;
  settings.max_concurrency = 2;
  settings.retry_schedule.emplace();  // none
  settings.standard_webhooks = true;
  settings.secrets.push_back({"1", webhook::make_standard_secret(), {}});
  life.run(life.deliveries().settings_changed(kUrl, settings, 1));
  sender_.script(kUrl, "bad", {500, 500});
  sender_.hold(true);
  life.append("a.example", range("e", 20));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 2; }));
  sender_.hold(false);
  life.append("a.example", {"bad"});
  ASSERT_TRUE(sender_.wait_for(21));
  life.stop();
  EXPECT_EQ(sender_.most_in_flight(), 2U);
  EXPECT_EQ(count("bad"), 1U) << "no retries";
  EXPECT_TRUE(sender_.heads().back().starts_with("webhook-id: "));
  auto next = start();
  EXPECT_EQ(next.loaded().missed, 1U);
}

TEST_F(ParkingTest, RateLimitOfAUrl) {
  options_.health.rate_limit = 100;
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  const auto begin = std::chrono::steady_clock::now();
  life.append("a.example", range("e", 60));
  ASSERT_TRUE(sender_.wait_for(60));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 450ms) << "ten at once, then 100 a second";
}

TEST_F(ParkingTest, RetryAfterHoldsTheEndpoint) {
  sender_.script(kUrl, "a", {503});
  sender_.retry_after(1s);
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", {"a"});
  ASSERT_TRUE(sender_.wait_for(1));
  const auto held = std::chrono::steady_clock::now();
  life.append("a.example", {"b"});
  ASSERT_TRUE(sender_.wait_for(2));
  EXPECT_GE(std::chrono::steady_clock::now() - held, 900ms);
}

TEST_F(ParkingTest, RetentionCountsWhatAParkedEndpointLoses) {
  options_.health.probe_interval = 10min;  // retention does not take what a probe has
  options_.health.probe_max_interval = 10min;
  auto life = start();
  park(life);
  // What is under way when the endpoint is parked is no loss yet.
  ASSERT_TRUE(life.until([&] { return life.endpoint(kUrl).in_flight == 0; }));
  life.append("a.example", range("later", 200));
  life.expire(life.store().head());
  ASSERT_TRUE(life.wait_until_saved());
  const auto notices = life.notices();
  EXPECT_EQ(notices.back(), NoticeKind::kExpired);
  EXPECT_EQ(life.endpoint(kUrl).waiting, 0U);
  sender_.script(kUrl, "", {200});
  life.append("a.example", {"after"});
  EXPECT_TRUE(life.run(life.deliveries().resume(kUrl)));
  ASSERT_TRUE(sender_.wait([](const auto& sent, size_t) { return sent.back().id == "after"; }));
  EXPECT_EQ(count("later0"), 0U);
}

// Those under way when the first 410 comes are not kept in memory, and retention counts them all.
TEST_F(ParkingTest, WhatComesBackAfterAnEndpointIsGoneIsLetGo) {
  sender_.hold(true);
  sender_.script(kUrl, "", {410});
  auto life = start();
  life.set_hook("a.example", Hook::kDelivered, {kUrl});
  life.append("a.example", range("e", 50));
  ASSERT_TRUE(sender_.wait([](const auto&, size_t in_flight) { return in_flight == 4; }));
  sender_.hold(false);
  ASSERT_TRUE(life.wait_for_state(kUrl, EndpointState::kGone));
  ASSERT_TRUE(sender_.wait_for(4));
  ASSERT_TRUE(life.until([&] { return life.endpoint(kUrl).in_flight == 0; }));
  const auto expired = metrics::counter("eventhorn_missed_expired_total", "");
  const double before = expired.value();
  life.expire(life.store().head());
  EXPECT_EQ(expired.value() - before, 50);
  EXPECT_EQ(life.notices().back(), NoticeKind::kExpired);
}

}  // namespace
}  // namespace eventhorn::delivery
