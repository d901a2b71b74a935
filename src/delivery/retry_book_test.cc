#include "delivery/retry_book.h"

#include "async/moved_clock.h"
#include "async/task_group.h"
#include "delivery/lane_test_support.h"

#include <boost/asio/io_context.hpp>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

class RetryBookTest : public ::testing::Test, public RetryBook::Listener, public Saver::Listener {
 protected:
  RetryBookTest() : timers_(io_.get_executor(), clock_), loops_(io_.get_executor(), clock_) {
    make({.per_lane = 3, .per_core = 100});
    saver_.begin({1});
    loops_.spawn("timers", timers_.run());
    loops_.spawn("saves", saver_.run());
    advance(1s);
    rows_.clear();
  }

  ~RetryBookTest() override {
    loops_.cancel();
    run();
  }

  void make(RetryLimits limits) {
    book_ = std::make_unique<RetryBook>(limits, clock_, timers_, saver_, random_, *this);
  }

  void on_due(const LanePtr& lane) override { due_.push_back(lane->id()); }

  void on_settled(const LanePtr&) override {}

  void on_saved() override {}

  void run() {
    io_.restart();
    io_.poll();
  }

  void advance(Micros by) {
    clock_.advance(by);
    run();
  }

  /// What the saver writes of what was done until now.
  store::Progress saved() {
    rows_.clear();
    advance(5ms);
    return rows_.empty() ? store::Progress{} : rows_.back();
  }

  LanePtr lane(uint64_t id) {
    auto lane = std::make_shared<Lane>(LaneId{id}, DomainUid{1}, endpoint_->url());
    lane->subscribe(all_since(0));
    lane->endpoint = endpoint_.get();
    return lane;
  }

  static Waiting failed(uint16_t attempts) {
    Waiting waiting;
    waiting.attempts = attempts;
    waiting.hook = Hook::kDelivered;
    return waiting;
  }

  boost::asio::io_context io_{1};
  MovedClock clock_;
  crypto::RandomPool random_;
  std::vector<store::Progress> rows_;
  std::vector<LaneId> due_;
  std::shared_ptr<Endpoint> endpoint_ = std::make_shared<Endpoint>("http://a/", HealthOptions{});
  Timers timers_;
  Saver saver_{io_.get_executor(),
               clock_,
               {.interval = 5ms},
               [this](store::Progress progress, std::function<void()> written) {
                 rows_.push_back(std::move(progress));
                 written();
               },
               *this};
  TaskGroup loops_;
  std::unique_ptr<RetryBook> book_;
};

TEST_F(RetryBookTest, AnEventThatWaitsHasARowAndIsDueInTime) {
  const auto a = lane(1);
  book_->wait(a, {7}, failed(2));
  book_->at(clock_.steady_now() + 1min, a, {7});
  const auto rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 1U);
  EXPECT_EQ(rows.exceptions[0].lane, LaneId{1});
  EXPECT_EQ(rows.exceptions[0].position, Position{7});
  EXPECT_EQ(rows.exceptions[0].attempts, 2);
  EXPECT_FALSE(rows.exceptions[0].missed);
  EXPECT_EQ(book_->size(), 1U);
  EXPECT_EQ(endpoint_->retries.waiting(), 1U);
  advance(59s);
  EXPECT_TRUE(due_.empty());
  advance(1s);
  EXPECT_EQ(due_, std::vector<LaneId>{LaneId{1}});
  const auto job = a->take(true, clock_.steady_now());
  ASSERT_TRUE(job);
  EXPECT_EQ(job->position, Position{7});
  EXPECT_EQ(job->attempt, 3);
}

TEST_F(RetryBookTest, WaitingOnceMoreCountsOnce) {
  const auto a = lane(1);
  book_->wait(a, {7}, failed(1));
  book_->wait(a, {7}, failed(2));
  EXPECT_EQ(book_->size(), 1U);
  EXPECT_EQ(endpoint_->retries.waiting(), 1U);
}

TEST_F(RetryBookTest, WhatTheStoreHasIsNotWrittenAgain) {
  const auto a = lane(1);
  book_->load(a, {7}, failed(1), clock_.steady_now() + 1s);
  EXPECT_EQ(book_->size(), 1U);
  EXPECT_TRUE(saved().exceptions.empty());
  advance(1s);
  EXPECT_EQ(due_, std::vector<LaneId>{LaneId{1}});
}

TEST_F(RetryBookTest, TheRowOfWhatIsSettledEnds) {
  const auto a = lane(1);
  book_->wait(a, {7}, failed(1));
  book_->settle(*a, {7});
  book_->settle(*a, {8});  // missed before, say
  const auto rows = saved();
  ASSERT_EQ(rows.ended_exceptions.size(), 2U);
  EXPECT_EQ(rows.ended_exceptions[1].position, Position{8});
  EXPECT_EQ(book_->size(), 0U);
  EXPECT_EQ(endpoint_->retries.waiting(), 0U);
  EXPECT_TRUE(a->retries().empty());
}

TEST_F(RetryBookTest, WhatIsMissedIsListedAndWaitsNoMore) {
  const auto a = lane(1);
  book_->wait(a, {7}, failed(1));
  book_->miss(*a, {7}, failed(2));
  const auto rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 2U);
  EXPECT_TRUE(rows.exceptions[1].missed);
  EXPECT_EQ(rows.exceptions[1].attempts, 2);
  EXPECT_TRUE(rows.ended_exceptions.empty());
  EXPECT_TRUE(a->misses_lately);
  EXPECT_EQ(book_->size(), 0U);
}

TEST_F(RetryBookTest, ATimerOfALaneThatEndedWakesNobody) {
  const auto a = lane(1);
  book_->wait(a, {7}, failed(1));
  book_->at(clock_.steady_now() + 1s, a, {7});
  book_->forget(*a);
  a->ended = true;
  EXPECT_EQ(book_->size(), 0U);
  EXPECT_EQ(endpoint_->retries.waiting(), 0U);
  advance(1s);
  EXPECT_TRUE(due_.empty());
}

TEST_F(RetryBookTest, ALaneMayHaveSoManyWaiting) {
  const auto a = lane(1);
  for (uint64_t i = 1; i <= 2; ++i) book_->wait(a, {i}, failed(1));
  EXPECT_TRUE(book_->allows(*a));
  book_->wait(a, {3}, failed(1));
  EXPECT_FALSE(book_->allows(*a));
  EXPECT_TRUE(book_->allows(*lane(2)));
}

TEST_F(RetryBookTest, ACrowdedCoreHoldsThoseWhoHoldMost) {
  make({.per_lane = 1000, .per_core = 100});
  const auto greedy = lane(1);
  const auto modest = lane(2);
  for (uint64_t i = 1; i <= 60; ++i) book_->wait(greedy, {i}, failed(1));
  for (uint64_t i = 1; i <= 39; ++i) book_->wait(modest, {i}, failed(1));
  EXPECT_TRUE(book_->allows(*greedy));
  EXPECT_FALSE(book_->take_crowded());
  book_->wait(modest, {40}, failed(1));
  book_->check_invariants({greedy, modest});
  EXPECT_FALSE(book_->allows(*greedy));  // its share is 50
  EXPECT_TRUE(book_->allows(*modest));
  EXPECT_TRUE(book_->take_crowded());
  EXPECT_TRUE(book_->take_crowded());  // it still is
  book_->settle(*modest, {40});
  EXPECT_TRUE(book_->allows(*greedy));
  EXPECT_TRUE(book_->take_crowded());  // it was until now
  EXPECT_FALSE(book_->take_crowded());
}

TEST_F(RetryBookTest, ACrowdedCoreLeavesEachLaneAFew) {
  make({.per_lane = 1000, .per_core = 20});
  std::vector<LanePtr> lanes;
  for (uint64_t id = 1; id <= 20; ++id) {
    lanes.push_back(lane(id));
    book_->wait(lanes.back(), {1}, failed(1));
  }
  for (uint64_t i = 2; i <= 15; ++i) book_->wait(lanes[0], {i}, failed(1));
  EXPECT_TRUE(book_->allows(*lanes[0]));  // far more than its share of one
  book_->wait(lanes[0], {16}, failed(1));
  EXPECT_FALSE(book_->allows(*lanes[0]));
}

TEST_F(RetryBookTest, AReturnBringsRetriesForward) {
  const auto a = lane(1);
  for (uint64_t i = 1; i <= 3; ++i) {
    book_->wait(a, {i}, failed(1));
    book_->at(clock_.steady_now() + 1h, a, {i});
  }
  book_->bring_forward(a, 10s, webhook::RetrySchedule(), true);
  advance(15ms);  // five for each
  EXPECT_EQ(due_.size(), 3U);
}

TEST_F(RetryBookTest, AProbeCountsAsAnAttemptOnceAnotherEventGotThrough) {
  const auto a = lane(1);
  auto probed = failed(1);
  probed.probed = true;
  probed.due = SteadyTime::max();
  book_->wait(a, {1}, probed);
  (void)saved();
  const webhook::RetrySchedule schedule({1min, 1min});
  book_->bring_forward(a, 10s, schedule, false);
  EXPECT_TRUE(saved().exceptions.empty());
  book_->wait(a, {1}, probed);
  (void)saved();
  book_->bring_forward(a, 10s, schedule, true);
  const auto rows = saved();
  ASSERT_EQ(rows.exceptions.size(), 1U);
  EXPECT_EQ(rows.exceptions[0].attempts, 2);
  probed.attempts = 2;  // the next would be its last
  book_->wait(a, {1}, probed);
  (void)saved();
  book_->bring_forward(a, 10s, schedule, true);
  EXPECT_TRUE(saved().exceptions.empty());
}

}  // namespace
}  // namespace eventhorn::delivery
