// Workers over a sender that answers by script.
#include "delivery/attempts.h"

#include "delivery/parts_test_support.h"

#include <stdexcept>

namespace eventhorn::delivery {
namespace {

class ScriptedSender final : public Sender {
 public:
  std::shared_ptr<Target> open(const std::string&, const store::EndpointSettings&) override {
    return std::make_shared<Target>();
  }

  Task<SendReply> post(Target&, Message message, Deadline) override {
    bodies.push_back(std::string(message.prefix) + std::string(message.event) +
                     std::string(message.suffix));
    heads.emplace_back(message.head);
    fresh.push_back(message.fresh_connection);
    co_await yield_now();
    SendReply reply;
    reply.result.status = 200;
    if (!replies.empty()) {
      reply = replies.front();
      replies.pop_front();
    }
    if (reply.result.error == kThrows) throw std::runtime_error("as no sender should");
    co_return reply;
  }

  static constexpr std::string_view kThrows = "throws";

  std::deque<SendReply> replies;  // 200 when they are used up
  std::vector<std::string> bodies, heads;
  std::vector<bool> fresh;
};

class AttemptsTest : public PartsTest {
 protected:
  AttemptsTest() {
    endpoint_->set({{}, {}, sender_.open("", {})}, HealthOptions{});
    const auto key = std::make_shared<const crypto::HmacKey>("key");
    keys_ = [key] { return webhook::SigningKeys{key, nullptr}; };
    workers_.emplace(
        Attempts::Parts{clock_, *store_, pool_, sender_, keys_, random_, scheduler_, *outcomes_},
        10s, tasks_);
  }

  void start(Attempt attempt) override { workers_->start(std::move(attempt)); }

  /// Until no worker is under way.
  void finish() {
    io_.restart();
    while (tasks_.size() > 0) io_.run_one();
  }

  void send_all(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const auto event = std::make_shared<store::StoredEvent>();
      event->position = {++position_};
      event->event.id = "e" + std::to_string(position_);
      event->event.name = event::Name::kDelivered;
      event->event.bytes = event->event.id;
      offer(*lane_, event);
    }
    scheduler_.schedule(lane_);
  }

  /// An event that is in the store alone, and waits for its retry.
  Position retry_from_the_log() {
    store::WriteSet set;
    store::NewEvent event;
    event.domain = {1};
    event.event.id = "kept";
    event.event.timestamp_us = 1'773'222'000'000'000;
    event.event.name = event::Name::kDelivered;
    event.event.bytes = "kept";
    set.appends.push_back({std::move(event), store::WriteSet::Append::Outcome::kStored, nullptr});
    EXPECT_TRUE(store_->commit(set));
    const auto position = store_->head();
    Waiting waiting;
    waiting.attempts = 1;
    waiting.hook = Hook::kDelivered;
    retries_.wait(lane_, position, waiting);
    retries_.at(clock_.steady_now(), lane_, position);
    run();
    return position;
  }

  static SendReply throws() {
    SendReply reply;
    reply.result.error = ScriptedSender::kThrows;
    return reply;
  }

  ScriptedSender sender_;
  std::function<webhook::SigningKeys()> keys_;
  std::optional<Attempts> workers_;
  uint64_t position_ = 0;
};

TEST_F(AttemptsTest, AnEventIsSignedAndSettled) {
  send_all(1);
  EXPECT_TRUE(sender_.bodies.empty());  // never within the call
  finish();
  ASSERT_EQ(sender_.bodies.size(), 1U);
  EXPECT_TRUE(sender_.bodies[0].starts_with(R"({"signature":{"timestamp":")"));
  EXPECT_TRUE(sender_.bodies[0].ends_with("e1}"));
  EXPECT_FALSE(sender_.fresh[0]);
  EXPECT_TRUE(lane_->settled());
  EXPECT_EQ(scheduler_.in_flight(), 0U);
}

TEST_F(AttemptsTest, WorkersGoOnWhileThereIsWork) {
  send_all(50);
  EXPECT_LE(tasks_.size(), 4U);  // as many as an unknown endpoint may have
  finish();
  EXPECT_EQ(sender_.bodies.size(), 50U);
  EXPECT_TRUE(lane_->settled());
  EXPECT_EQ(endpoint_->workers().count(), 0U);
}

TEST_F(AttemptsTest, AStaleConnectionIsReplacedOnce) {
  SendReply stale;
  stale.stale = true;
  stale.result.kind = webhook::FailureKind::kClosed;
  sender_.replies = {stale};
  send_all(1);
  finish();
  EXPECT_EQ(sender_.fresh, (std::vector<bool>{false, true}));
  EXPECT_NE(sender_.bodies[0], sender_.bodies[1]);  // signed anew
  EXPECT_TRUE(lane_->settled());
}

TEST_F(AttemptsTest, ARetryIsReadFromTheLog) {
  retry_from_the_log();
  finish();
  ASSERT_EQ(sender_.bodies.size(), 1U);
  EXPECT_TRUE(sender_.bodies[0].ends_with("kept}"));
  EXPECT_EQ(retries_.size(), 0U);
  EXPECT_TRUE(lane_->settled());
}

TEST_F(AttemptsTest, ARetryThatNobodyWantsAnyMoreIsNotSent) {
  lane_->subscribe({});
  retry_from_the_log();
  finish();
  EXPECT_TRUE(sender_.bodies.empty());
  EXPECT_EQ(retries_.size(), 0U);
}

TEST_F(AttemptsTest, ARetryThatIsNotInTheLogAnyMoreIsOver) {
  Waiting waiting;
  waiting.hook = Hook::kDelivered;
  retries_.wait(lane_, {7}, waiting);
  retries_.at(clock_.steady_now(), lane_, {7});
  run();
  finish();
  EXPECT_TRUE(sender_.bodies.empty());
  EXPECT_EQ(retries_.size(), 0U);
  EXPECT_EQ(notices(), std::vector{NoticeKind::kExpired});
}

TEST_F(AttemptsTest, AnExceptionGivesTheEventBack) {
  sender_.replies = {throws()};
  send_all(1);
  finish();
  EXPECT_EQ(lane_->in_flight(), 0U);
  EXPECT_EQ(scheduler_.in_flight(), 0U);
  EXPECT_FALSE(lane_->settled());
  advance(1s);
  finish();
  EXPECT_EQ(sender_.bodies.size(), 2U);
  EXPECT_TRUE(lane_->settled());
}

TEST_F(AttemptsTest, AnExceptionGivesARetryBack) {
  sender_.replies = {throws()};
  retry_from_the_log();
  finish();
  EXPECT_EQ(lane_->in_flight(), 0U);
  EXPECT_EQ(retries_.size(), 1U);
  advance(1s);
  finish();
  EXPECT_EQ(sender_.bodies.size(), 2U);
  EXPECT_EQ(retries_.size(), 0U);
}

}  // namespace
}  // namespace eventhorn::delivery
