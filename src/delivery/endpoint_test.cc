#include "delivery/endpoint.h"

#include "delivery/lane_test_support.h"

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime kStart{1h};

TEST(Ring, GivesEachLaneOnceInTurn) {
  Ring ring;
  const auto a = make_lane();
  const auto b = make_lane();
  ring.push(a);
  ring.push(b);
  ring.push(a);
  EXPECT_EQ(ring.size(), 2U);
  EXPECT_EQ(ring.pop(), a);
  ring.push(a);
  EXPECT_EQ(ring.pop(), b);
  EXPECT_EQ(ring.pop(), a);
  EXPECT_TRUE(ring.empty());
}

TEST(RingDeathTest, NothingIsTakenOfAnEmptyOne) {
  Ring ring;
  EXPECT_DEATH(ring.pop(), "!lanes_.empty\\(\\)");
}

TEST(Workers, AreStuckWhenNothingComesBackForASecond) {
  Workers workers;
  EXPECT_FALSE(workers.stuck(kStart + 1h));  // none is under way
  workers.start(kStart);
  workers.start(kStart + 1s);  // says nothing of the first
  EXPECT_FALSE(workers.stuck(kStart + 1s));
  EXPECT_TRUE(workers.stuck(kStart + 1001ms));
  workers.sign(kStart + 2s);
  EXPECT_FALSE(workers.stuck(kStart + 3s));
  workers.end();
  workers.end();
  EXPECT_EQ(workers.count(), 0U);
  EXPECT_FALSE(workers.stuck(kStart + 1h));
}

TEST(MissNotices, TellTheFirstSinceSomethingGotThrough) {
  MissNotices misses;
  EXPECT_TRUE(misses.take(kStart));
  EXPECT_FALSE(misses.take(kStart + 1h));  // still the same trouble
  misses.got_through();
  EXPECT_TRUE(misses.take(kStart + 2h));
}

TEST(MissNotices, TellAtMostOneAMinute) {
  MissNotices misses;
  EXPECT_TRUE(misses.take(kStart));
  misses.got_through();
  EXPECT_FALSE(misses.take(kStart + 59s));
  EXPECT_TRUE(misses.take(kStart + 1min));
}

TEST(Rate, IsSmoothedOverTenSeconds) {
  Rate rate;
  for (int i = 0; i < 1000; ++i) rate.count(kStart + i * 100ms);
  const auto end = kStart + 100s;
  EXPECT_NEAR(rate.at(end), 10, 0.5);
  EXPECT_NEAR(rate.at(end + 10s), 10 / std::exp(1), 0.5);
  EXPECT_NEAR(rate.last(), 10, 0.5);
}

TEST(Endpoint, ItsStandingIsWhatIsKnownOfIt) {
  Endpoint e("http://a/", HealthOptions{});
  EXPECT_EQ(e.standing(kStart), Standing::kUnknown);
  (void)e.health().on_success(kStart, kStart, 1);
  EXPECT_EQ(e.standing(kStart), Standing::kWell);
  e.workers().start(kStart);
  EXPECT_EQ(e.standing(kStart + 2s), Standing::kSuspect);  // it may hang
  e.workers().end();
  (void)e.health().on_failure(kStart, kStart, 0);
  EXPECT_EQ(e.standing(kStart), Standing::kSuspect);
}

TEST(Endpoint, HasARowUnlessItIsActive) {
  Endpoint e("http://a/", HealthOptions{});
  EXPECT_FALSE(e.row());
  e.health().pause();
  e.story().since = from_micros(1'000'000);
  e.story().reason = "paused by its operator";
  e.story().last_success = from_micros(500'000);
  const auto row = e.row();
  ASSERT_TRUE(row);
  EXPECT_EQ(row->url, "http://a/");
  EXPECT_EQ(row->state, Health::State::kPaused);

  Endpoint next("http://a/", HealthOptions{});
  next.load(*row, kStart, 0);
  EXPECT_EQ(next.health().state(), Health::State::kPaused);
  EXPECT_EQ(next.story().since, from_micros(1'000'000));
  EXPECT_EQ(next.story().reason, "paused by its operator");
  EXPECT_EQ(next.story().last_success, from_micros(500'000));
  EXPECT_FALSE(next.story().last_failure);
}

TEST(Endpoint, IsIdleWithoutLanesAndAttempts) {
  Endpoint e("http://a/", HealthOptions{});
  e.touch(kStart);
  EXPECT_FALSE(e.idle_since(kStart));
  EXPECT_TRUE(e.idle_since(kStart + 1us));
  const auto lane = make_lane();
  e.add(lane);
  EXPECT_EQ(lane->endpoint, &e);
  EXPECT_FALSE(e.idle_since(kStart + 1h));
  e.remove(lane->id());
  EXPECT_TRUE(e.idle_since(kStart + 1h));
  e.workers().start(kStart);
  EXPECT_FALSE(e.idle_since(kStart + 1h));
  e.workers().end();
  e.health().pause();
  EXPECT_FALSE(e.idle_since(kStart + 1h));
}

}  // namespace
}  // namespace eventhorn::delivery
