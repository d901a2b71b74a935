#include "delivery/scheduler.h"

#include "async/moved_clock.h"
#include "async/task_group.h"
#include "delivery/lane_test_support.h"

#include <boost/asio/io_context.hpp>

#include <deque>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

// A scheduler whose attempts end when the test says so.
class SchedulerTest : public ::testing::Test,
                      public Scheduler::Listener,
                      public RetryBook::Listener,
                      public Saver::Listener {
 protected:
  SchedulerTest() {
    make(100);
    loops_.spawn("timers", timers_.run());
    run();
  }

  ~SchedulerTest() override {
    scheduler_->stop();
    attempts_.clear();
    loops_.cancel();
    run();
  }

  void make(size_t places) {
    scheduler_.emplace(Scheduler::Parts{clock_, timers_, saver_, retries_, random_, *this}, places,
                       5ms);
  }

  void start(Attempt attempt) override { attempts_.push_back(std::move(attempt)); }

  void read_more(const LanePtr& lane) override { reads_.push_back(lane->id()); }

  void on_health(const EndpointPtr&, Health::Change change) override { changes_.push_back(change); }

  void on_due(const LanePtr&) override {}

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

  EndpointPtr endpoint(const std::string& url, size_t per_host = 100) {
    auto endpoint =
        std::make_shared<Endpoint>(url, HealthOptions{}, std::make_shared<Places>(per_host));
    endpoints_.push_back(endpoint);
    return endpoint;
  }

  /// A lane with so many events in memory.
  LanePtr lane(const EndpointPtr& endpoint, size_t events) {
    auto lane = std::make_shared<Lane>(LaneId{++lane_ids_}, DomainUid{1}, endpoint->url());
    lane->subscribe(all_since(0));
    endpoint->add(lane);
    for (size_t i = 0; i < events; ++i) offer(*lane, make_event(++positions_));
    return lane;
  }

  /// The oldest attempt ends; the worker goes on as one does.
  void end_first() {
    const auto endpoint = attempts_.front().endpoint();
    {
      Attempt attempt = std::move(attempts_.front());
      attempts_.pop_front();
      ended_.push_back(attempt.lane()->id());
      attempt.decide();
      attempt.lane()->settle(attempt.job());
      const auto now = clock_.steady_now();
      endpoint->workers().sign(now);
      (void)endpoint->health().on_success(now, now, 1);
    }
    scheduler_->pump_queues();
    if (auto next = scheduler_->next(endpoint)) attempts_.push_back(*std::move(next));
    scheduler_->pump(endpoint);
  }

  size_t under_way(const EndpointPtr& endpoint) const { return endpoint->workers().count(); }

  /// The endpoint has had a success, and is well.
  static void make_well(const EndpointPtr& endpoint, SteadyTime now) {
    (void)endpoint->health().on_success(now, now, 1);
  }

  boost::asio::io_context io_{1};
  MovedClock clock_;
  crypto::RandomPool random_;
  std::vector<LaneId> reads_;
  std::vector<LaneId> ended_;
  std::vector<Health::Change> changes_;
  uint64_t lane_ids_ = 0;
  uint64_t positions_ = 0;
  std::vector<EndpointPtr> endpoints_;
  Timers timers_{io_.get_executor(), clock_};
  Saver saver_{io_.get_executor(),
               clock_,
               {.max_unsaved = 4},
               [this](store::Progress, std::function<void()> saved) { saved_.push_back(saved); },
               *this};
  std::vector<std::function<void()>> saved_;
  RetryBook retries_{{.per_lane = 1, .per_core = 100}, clock_, timers_, saver_, random_, *this};
  TaskGroup loops_{io_.get_executor(), clock_};
  std::optional<Scheduler> scheduler_;
  std::deque<Attempt> attempts_;
};

TEST_F(SchedulerTest, AnEndpointSendsAsMuchAtOnceAsItsHealthAllows) {
  const auto a = endpoint("http://a/");
  const auto work = lane(a, 10);
  scheduler_->schedule(work);
  EXPECT_EQ(attempts_.size(), a->health().limit(clock_.steady_now()));
  EXPECT_EQ(scheduler_->in_flight(), attempts_.size());
  while (!attempts_.empty()) end_first();
  EXPECT_EQ(ended_.size(), 10U);
  EXPECT_EQ(scheduler_->in_flight(), 0U);
  EXPECT_EQ(under_way(a), 0U);
  EXPECT_TRUE(a->ring().empty());
}

TEST_F(SchedulerTest, LanesOfAnEndpointTakeTurns) {
  const auto a = endpoint("http://a/");
  const auto first = lane(a, 6);
  const auto second = lane(a, 6);
  a->ring().push(first);
  scheduler_->schedule(second);
  while (!attempts_.empty()) end_first();
  ASSERT_EQ(ended_.size(), 12U);
  for (size_t i = 0; i + 1 < ended_.size(); i += 2) EXPECT_NE(ended_[i], ended_[i + 1]);
}

TEST_F(SchedulerTest, ALaneThatIsBehindIsRead) {
  const auto a = endpoint("http://a/");
  const auto behind = lane(a, 0);
  behind->segments().open(webhook::class_of(Hook::kDelivered), kNoPosition, false);
  scheduler_->schedule(behind);
  EXPECT_EQ(reads_, std::vector<LaneId>{behind->id()});
  EXPECT_TRUE(attempts_.empty());
  reads_.clear();
  scheduler_->schedule(lane(a, 1));
  EXPECT_EQ(attempts_.size(), 1U);
  EXPECT_TRUE(reads_.empty());
}

TEST_F(SchedulerTest, AnEndpointThatFindsNoPlaceGetsTheNextOneThatIsFree) {
  make(1);
  const auto a = endpoint("http://a/");
  const auto b = endpoint("http://b/");
  const auto c = endpoint("http://c/");
  for (const auto& e : {a, b, c}) scheduler_->schedule(lane(e, 1));
  for (const auto& e : {a, b, c}) {
    ASSERT_EQ(attempts_.size(), 1U);
    EXPECT_EQ(attempts_.front().endpoint()->url(), e->url());
    end_first();
  }
  EXPECT_TRUE(attempts_.empty());
}

TEST_F(SchedulerTest, TheWellOnesComeBeforeTheDoubtful) {
  make(1);
  const auto a = endpoint("http://a/");
  const auto unknown = endpoint("http://unknown/");
  const auto well = endpoint("http://well/");
  make_well(a, clock_.steady_now());
  make_well(well, clock_.steady_now());
  scheduler_->schedule(lane(a, 1));
  scheduler_->schedule(lane(unknown, 1));
  scheduler_->schedule(lane(well, 1));
  end_first();
  ASSERT_EQ(attempts_.size(), 1U);
  EXPECT_EQ(attempts_.front().endpoint()->url(), well->url());
  end_first();
  ASSERT_EQ(attempts_.size(), 1U);
  EXPECT_EQ(attempts_.front().endpoint()->url(), unknown->url());
}

TEST_F(SchedulerTest, UrlsOfOneHostShareItsPlaces) {
  const auto host = std::make_shared<Places>(1);
  const auto a = std::make_shared<Endpoint>("http://h/a", HealthOptions{}, host);
  const auto b = std::make_shared<Endpoint>("http://h/b", HealthOptions{}, host);
  endpoints_ = {a, b};
  scheduler_->schedule(lane(a, 1));
  scheduler_->schedule(lane(b, 1));
  ASSERT_EQ(attempts_.size(), 1U);
  end_first();
  ASSERT_EQ(attempts_.size(), 1U);
  EXPECT_EQ(attempts_.front().endpoint()->url(), b->url());
}

TEST_F(SchedulerTest, AnAttemptThatNobodyDecidedIsGivenBackAfterASecond) {
  const auto a = endpoint("http://a/");
  const auto work = lane(a, 1);
  scheduler_->schedule(work);
  ASSERT_EQ(attempts_.size(), 1U);
  attempts_.clear();
  EXPECT_EQ(under_way(a), 0U);
  EXPECT_EQ(work->in_flight(), 0U);
  EXPECT_EQ(scheduler_->in_flight(), 0U);
  advance(999ms);
  EXPECT_TRUE(attempts_.empty());
  advance(1ms);
  EXPECT_EQ(attempts_.size(), 1U);
}

TEST_F(SchedulerTest, AnEndpointThatMayNotSendYetIsWoken) {
  const auto a = endpoint("http://a/");
  a->health().hold_until(clock_.steady_now() + 1min);
  scheduler_->schedule(lane(a, 1));
  EXPECT_TRUE(attempts_.empty());
  advance(1min);
  EXPECT_EQ(attempts_.size(), 1U);
}

TEST_F(SchedulerTest, TooManyUnsavedOutcomesStopAttemptsUntilTheyAreSaved) {
  saver_.begin({1});
  const auto a = endpoint("http://a/");
  for (int i = 0; i < 4; ++i) {
    saver_.put_attempt({});
    saver_.count_outcome();
  }
  ASSERT_TRUE(saver_.full());
  scheduler_->schedule(lane(a, 1));
  EXPECT_TRUE(attempts_.empty());
  advance(5ms);  // looked at again, and nothing is saved
  EXPECT_TRUE(attempts_.empty());
  saver_.save_many();
  for (const auto& saved : saved_) saved();
  run();
  ASSERT_FALSE(saver_.full());
  advance(5ms);
  EXPECT_EQ(attempts_.size(), 1U);
}

TEST_F(SchedulerTest, ALaneWithTooManyRetriesSendsNothingNew) {
  const auto a = endpoint("http://a/");
  const auto work = lane(a, 1);
  retries_.wait(work, {99}, {});
  scheduler_->schedule(work);
  EXPECT_TRUE(attempts_.empty());
  retries_.settle(*work, {99});
  scheduler_->schedule(work);
  EXPECT_EQ(attempts_.size(), 1U);
}

TEST_F(SchedulerTest, ALaneThatEndedIsLeftOut) {
  const auto a = endpoint("http://a/");
  const auto gone = lane(a, 1);
  a->ring().push(gone);
  gone->ended = true;
  scheduler_->schedule(gone);
  scheduler_->pump(a);
  EXPECT_TRUE(attempts_.empty());
  EXPECT_TRUE(a->ring().empty());
}

TEST_F(SchedulerTest, AnEndpointThatFailsForLongEnoughIsParkedInItsTime) {
  const auto a = endpoint("http://a/");
  const auto now = clock_.steady_now();
  for (int i = 0; i < 30; ++i) (void)a->health().on_failure(now, now, 0);
  const auto park_at = a->health().park_at();
  ASSERT_NE(park_at, SteadyTime::max());
  scheduler_->arm(a, now);
  advance(std::chrono::duration_cast<Micros>(park_at - now) + 1us);
  ASSERT_FALSE(changes_.empty());
  EXPECT_EQ(changes_.back(), Health::Change::kParked);
}

TEST_F(SchedulerTest, AfterItsEndNothingStarts) {
  scheduler_->stop();
  scheduler_->schedule(lane(endpoint("http://a/"), 1));
  EXPECT_TRUE(attempts_.empty());
}

}  // namespace
}  // namespace eventhorn::delivery
