#include "delivery/sweep.h"

#include "delivery/parts_test_support.h"

namespace eventhorn::delivery {
namespace {

class NoSender final : public Sender {
 public:
  std::shared_ptr<Target> open(const std::string&, const store::EndpointSettings&) override {
    return std::make_shared<Target>();
  }

  Task<SendReply> post(Target&, Message, Deadline) override { co_return SendReply{}; }
};

class SweepTest : public PartsTest {
 protected:
  SweepTest() {
    retries_limited_.emplace(RetryLimits{.per_lane = 2, .per_core = 3}, clock_, timers_, saver_,
                             random_, *this);
    scheduler_limited_.emplace(
        Scheduler::Parts{clock_, timers_, saver_, *retries_limited_, random_, *this}, 100, 5ms);
    transitions_limited_.emplace(Transitions::Parts{clock_, router_, saver_, *retries_limited_,
                                                    *scheduler_limited_, notices_},
                                 TransitionsOptions{});
    operator_.emplace(
        Operator::Parts{clock_, router_, endpoints_, lanes_, saver_, *retries_limited_,
                        *scheduler_limited_, *transitions_limited_, recent_},
        2);
    sweep_.emplace(io_.get_executor(),
                   Sweep::Parts{clock_, endpoints_, lanes_, saver_, *retries_limited_,
                                *scheduler_limited_, *transitions_limited_, *operator_});
    domain_->uid = {1};
    store::set_hook_urls(*domain_, Hook::kDelivered, {"http://a/", "http://b/"}, {1});
    router_.add(domain_);
  }

  ~SweepTest() override {
    scheduler_limited_->stop();
    attempts_.clear();
  }

  void sweep() {
    tasks_.spawn("sweep", sweep_->sweep());
    run();
    ASSERT_EQ(tasks_.size(), 0U);
  }

  LanePtr lane(size_t index) { return lanes_.find_or_make(domain_->lanes[index].id, {1}); }

  void wait_at(const LanePtr& lane, uint64_t position) {
    Waiting waiting;
    waiting.hook = Hook::kDelivered;
    retries_limited_->wait(lane, {position}, waiting);
  }

  NoSender sender_;
  Endpoints endpoints_{{}, clock_, sender_};
  Lanes lanes_{router_, endpoints_};
  std::shared_ptr<store::Domain> domain_ = std::make_shared<store::Domain>();
  std::optional<RetryBook> retries_limited_;
  std::optional<Scheduler> scheduler_limited_;
  std::optional<Transitions> transitions_limited_;
  std::optional<Operator> operator_;
  std::optional<Sweep> sweep_;
};

TEST_F(SweepTest, ForgetsWhatIsWellAndIdleForFiveMinutes) {
  endpoints_.of("http://idle/");
  endpoints_.of("http://paused/")->health().pause();
  const auto busy = lane(0);
  clock_.advance(5min);
  sweep();
  EXPECT_NE(endpoints_.find("http://idle/"), nullptr);
  clock_.advance(1s);
  sweep();
  EXPECT_EQ(endpoints_.find("http://idle/"), nullptr);
  EXPECT_NE(endpoints_.find("http://paused/"), nullptr);
  EXPECT_NE(endpoints_.find(busy->url()), nullptr);
}

TEST_F(SweepTest, AnEndpointWithARowToWriteIsKept) {
  const auto endpoint = endpoints_.of("http://idle/");
  advance(10min);
  saver_.mark(endpoint);
  sweep();
  EXPECT_NE(endpoints_.find("http://idle/"), nullptr);
  (void)saved();
  sweep();
  EXPECT_EQ(endpoints_.find("http://idle/"), nullptr);
}

TEST_F(SweepTest, CountsEndpointsByState) {
  auto active = metrics::gauge("eventhorn_endpoints", "", {{"state", "active"}});
  auto paused = metrics::gauge("eventhorn_endpoints", "", {{"state", "paused"}});
  const double active_before = active.value(), paused_before = paused.value();
  endpoints_.of("http://x/");
  endpoints_.of("http://y/");
  sweep();
  EXPECT_EQ(active.value(), active_before + 2);
  endpoints_.of("http://y/")->health().pause();
  sweep();
  EXPECT_EQ(active.value(), active_before + 1);
  EXPECT_EQ(paused.value(), paused_before + 1);
  clock_.advance(1h);
  (void)endpoints_.of("http://y/")->health().resume(clock_.steady_now());
  sweep();  // both are forgotten
  EXPECT_EQ(active.value(), active_before);
  EXPECT_EQ(paused.value(), paused_before);
}

TEST_F(SweepTest, FindsWhoIsThrottled) {
  const auto a = lane(0);
  wait_at(a, 1);
  sweep();
  EXPECT_FALSE(a->endpoint->story().throttled_since);
  wait_at(a, 2);
  sweep();
  EXPECT_TRUE(a->endpoint->story().throttled_since);
  retries_limited_->settle(*a, {2});
  sweep();
  EXPECT_FALSE(a->endpoint->story().throttled_since);
}

TEST_F(SweepTest, LanesThatOthersHeldGoOn) {
  retries_limited_.emplace(RetryLimits{.per_lane = 100, .per_core = 40}, clock_, timers_, saver_,
                           random_, *this);
  const auto a = lane(0);
  const auto b = lane(1);
  for (uint64_t i = 1; i <= 25; ++i) wait_at(a, 1000 + i);
  for (uint64_t i = 1; i <= 15; ++i) wait_at(b, 2000 + i);
  offer(*a, make_event(5));
  scheduler_limited_->schedule(a);
  EXPECT_TRUE(attempts_.empty());  // more than its share waits
  for (uint64_t i = 1; i <= 15; ++i) retries_limited_->settle(*b, {2000 + i});
  EXPECT_TRUE(attempts_.empty());
  sweep();
  EXPECT_EQ(attempts_.size(), 1U);
}

TEST_F(SweepTest, ComesAboutOnceASecond) {
  endpoints_.of("http://idle/");
  clock_.advance(10min);
  loops_.spawn("sweeps", sweep_->run());
  run();
  advance(999ms);
  EXPECT_NE(endpoints_.find("http://idle/"), nullptr);
  advance(1ms);
  EXPECT_EQ(endpoints_.find("http://idle/"), nullptr);
}

}  // namespace
}  // namespace eventhorn::delivery
