#include "delivery/alerts.h"

#include "async/block_on.h"
#include "async/cores.h"

#include <boost/asio/post.hpp>
#include <gmock/gmock.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;
using control::NoticeKind;
using testing::ElementsAre;

constexpr const char* kUrl = "https://ops.example.org/alerts";

// Answers by a script of statuses, 200 when it is used up; may hold all answers back.
class FakeSender final : public Sender {
 public:
  std::shared_ptr<Target> open(const std::string& url, const store::EndpointSettings&) override {
    opened_ = url;
    return std::make_shared<Target>();
  }

  Task<SendReply> post(Target&, Message message, Deadline deadline) override {
    co_await yield_now();
    {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(std::string(message.prefix) + std::string(message.event) +
                        std::string(message.suffix));
      deadlines_.push_back(deadline);
      changed_.notify_all();
    }
    while (held()) co_await sleep_until(clock_, clock_.steady_now() + 1ms);
    SendReply reply;
    const std::lock_guard lock(mutex_);
    reply.result.status = 200;
    if (!statuses_.empty()) {
      reply.result.status = statuses_.front();
      statuses_.pop_front();
    }
    co_return reply;
  }

  void script(std::deque<int> statuses) {
    const std::lock_guard lock(mutex_);
    statuses_ = std::move(statuses);
  }

  void hold(bool on) {
    const std::lock_guard lock(mutex_);
    held_ = on;
  }

  /// The bodies, once there are `count`.
  std::vector<std::string> bodies(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, 20s, [&] { return bodies_.size() >= count; }));
    return bodies_;
  }

  std::vector<Deadline> deadlines() {
    const std::lock_guard lock(mutex_);
    return deadlines_;
  }

  std::string opened() const { return opened_; }

 private:
  bool held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }

  std::string opened_;
  const SystemClock clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> bodies_;
  std::vector<Deadline> deadlines_;
  std::deque<int> statuses_;
  bool held_ = false;
};

std::string member(const std::string& body, const std::string& name) {
  const auto at = body.find("\"" + name + "\":\"");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 4;
  return body.substr(begin, body.find('"', begin) - begin);
}

std::vector<std::string> urls(const std::vector<std::string>& bodies) {
  std::vector<std::string> out;
  for (const auto& body : bodies) out.push_back(member(body, "url"));
  return out;
}

double outcomes(const char* outcome) {
  return metrics::counter("eventhorn_alerts_total", "", {{"outcome", outcome}}).value();
}

AlertOptions usual() {
  AlertOptions options;
  options.url = kUrl;
  options.min_interval = 1h;
  options.retries = {1ms, 1ms, 1ms};
  return options;
}

class AlertsTest : public testing::Test {
 protected:
  void begin(AlertOptions options = usual()) {
    alerts_.emplace(
        cores_.at(0).get_executor(), board_, sender_, clock_,
        [this] { return webhook::SigningKeys{key_, nullptr}; }, std::move(options));
    alerts_->start();
    if (!std::exchange(running_, true)) cores_.start();
    ended_ = false;
  }

  void end(Deadline deadline = std::chrono::steady_clock::now() + 20s) {
    block_on(asio::any_io_executor(cores_.at(0).get_executor()), alerts_->stop(deadline));
    ended_ = true;
  }

  ~AlertsTest() override {
    if (alerts_ && !ended_) end();
    cores_.stop();
  }

  void post(const std::string& url, NoticeKind kind = NoticeKind::kParked) {
    control::Notice notice;
    notice.kind = kind;
    notice.at = clock_.now();
    notice.url = url;
    board_.post(std::move(notice));
  }

  SystemClock clock_;
  control::NoticeBoard board_;
  FakeSender sender_;
  std::shared_ptr<crypto::HmacKey> key_ = std::make_shared<crypto::HmacKey>("signing-key");
  Cores cores_{1};
  std::optional<Alerts> alerts_;
  bool running_ = false;
  bool ended_ = false;
};

TEST_F(AlertsTest, SendsTheNoticeSigned) {
  post("http://before/");
  begin();
  post("https://user:secret@a.example/");
  const auto body = sender_.bodies(1).at(0);
  EXPECT_EQ(sender_.opened(), kUrl);
  const auto timestamp = member(body, "timestamp");
  const auto token = member(body, "token");
  const auto signature = body.substr(body.find("\"signature\":\"") + 13, 64);
  EXPECT_EQ(signature, webhook::sign_token(*key_, timestamp, token));
  EXPECT_EQ(body, R"({"signature":{"timestamp":")" + timestamp + R"(","token":")" + token +
                      R"(","signature":")" + signature + R"("},"notice":)" +
                      to_json(board_.newest(1).at(0)) + "}");
  EXPECT_EQ(member(body, "url"), "https://user:***@a.example/");
}

TEST_F(AlertsTest, TriesAgainWithAFreshSignature) {
  sender_.script({500, 302});
  const double before = outcomes("delivered");
  begin();
  post("http://a/");
  const auto bodies = sender_.bodies(3);
  EXPECT_NE(member(bodies[0], "token"), member(bodies[1], "token"));
  EXPECT_EQ(member(bodies[0], "at"), member(bodies[2], "at"));
  end();
  EXPECT_EQ(sender_.bodies(3).size(), 3U);
  EXPECT_EQ(outcomes("delivered"), before + 1);
}

TEST_F(AlertsTest, GivesUpAfterTheLastRetryAndGoesOn) {
  sender_.script({500, 500, 500, 500});
  const double before = outcomes("given_up");
  begin();
  post("http://a/");
  post("http://b/");
  EXPECT_THAT(urls(sender_.bodies(5)),
              ElementsAre("http://a/", "http://a/", "http://a/", "http://a/", "http://b/"));
  end();
  EXPECT_EQ(outcomes("given_up"), before + 1);
}

// What was not sent, or is held by an interval, is the next process's; what was, is not told again.
TEST_F(AlertsTest, TheNextProcessBeginsWhereThisOneEnded) {
  auto options = usual();
  std::vector<uint64_t> settled;
  options.retries = {1h};
  options.after = board_.last_id();
  options.settled = [&](uint64_t id) { settled.push_back(id); };
  sender_.script({200, 200, 500, 500});
  post("http://before the start/");
  begin(options);
  post("http://a/");
  sender_.bodies(2);
  post("http://b/");
  sender_.bodies(3);
  post("http://c/");
  end();  // b waits for its retry, c behind it
  const auto ids = board_.newest(4);
  EXPECT_EQ(settled.back(), ids[1].id) << "c was sent, and comes twice";
  alerts_.reset();
  options.after = settled.back();
  options.settled = [](uint64_t) {};
  begin(options);
  const auto all = urls(sender_.bodies(7));
  EXPECT_THAT(std::vector(all.begin() + 5, all.end()), ElementsAre("http://b/", "http://c/"));
}

TEST_F(AlertsTest, AnAttemptHasADeadline) {
  auto options = usual();
  options.timeout = 3s;
  begin(options);
  post("http://a/");
  sender_.bodies(1);
  const auto left = sender_.deadlines().at(0) - std::chrono::steady_clock::now();
  EXPECT_LE(left, 3s);
}

TEST_F(AlertsTest, OneAlertPerKindAndEndpointInAnInterval) {
  const double before = outcomes("suppressed");
  begin();
  for (int i = 0; i < 4; ++i) post("http://a/");
  post("http://b/");
  post("http://a/", NoticeKind::kGone);
  const auto bodies = sender_.bodies(3);
  EXPECT_THAT(urls(bodies), ElementsAre("http://a/", "http://b/", "http://a/"));
  EXPECT_EQ(member(bodies[2], "kind"), "endpoint.gone");
  const auto all = board_.newest(6);
  // The last of what was held back comes after all, here at the stop.
  end();
  const auto last = sender_.bodies(4).at(3);
  EXPECT_TRUE(last.ends_with(to_json(all.at(3)) + ",\"suppressed\":2}")) << last;
  EXPECT_EQ(sender_.bodies(4).size(), 4U);
  EXPECT_EQ(outcomes("suppressed"), before + 2);
}

TEST_F(AlertsTest, WhatWasHeldBackComesAtTheEndOfTheInterval) {
  auto options = usual();
  options.min_interval = 30ms;
  begin(options);
  const auto began = std::chrono::steady_clock::now();
  post("http://a/");
  sender_.bodies(1);
  post("http://a/");
  const auto bodies = sender_.bodies(2);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 30ms);
  EXPECT_TRUE(bodies[1].ends_with(to_json(board_.newest(1).at(0)) + "}"));
}

TEST_F(AlertsTest, NoIntervalSendsAll) {
  auto options = usual();
  options.min_interval = 0ms;
  begin(options);
  for (int i = 0; i < 20; ++i) post("http://a/");
  EXPECT_EQ(sender_.bodies(20).size(), 20U);
}

// Also what an earlier process left there.
TEST_F(AlertsTest, WhatTheQueueHasNoRoomForWaitsOnTheBoard) {
  auto options = usual();
  options.max_queue = 3;
  options.after = board_.last_id();
  const double before = outcomes("dropped");
  std::vector<std::string> all;
  for (int i = 0; i < 20; ++i) all.push_back("http://" + std::to_string(i) + "/");
  for (int i = 0; i < 10; ++i) post(all[i]);
  sender_.hold(true);
  begin(options);
  sender_.bodies(1);
  for (int i = 10; i < 20; ++i) post(all[i]);
  sender_.hold(false);
  EXPECT_EQ(urls(sender_.bodies(20)), all);
  EXPECT_EQ(outcomes("dropped"), before);
}

TEST_F(AlertsTest, AStopLeavesWhatIsHeldBackToTheNextProcess) {
  auto options = usual();
  std::vector<uint64_t> settled;
  options.max_queue = 2;
  options.settled = [&](uint64_t id) { settled.push_back(id); };
  const std::vector<std::string> all = {"http://a/", "http://b/", "http://c/", "http://d/",
                                        "http://e/"};
  begin(options);
  for (const auto& url : all) post(url);
  sender_.bodies(5);
  for (const auto& url : all) post(url);
  end();
  EXPECT_EQ(sender_.bodies(7).size(), 7U);
  alerts_.reset();
  options.after = settled.back();
  options.settled = [](uint64_t) {};
  begin(options);
  const auto sent = urls(sender_.bodies(10));
  ASSERT_EQ(sent.size(), 10U);
  EXPECT_THAT(std::vector(sent.begin() + 5, sent.end()), testing::ElementsAreArray(all));
}

// Beyond the bound intervals end early: more is sent, nothing is lost.
TEST_F(AlertsTest, WatchesABoundedNumberOfEndpoints) {
  auto options = usual();
  options.max_watched = 2;
  begin(options);
  for (const char* url : {"http://a/", "http://a/", "http://b/", "http://c/"}) post(url);
  EXPECT_THAT(urls(sender_.bodies(4)),
              ElementsAre("http://a/", "http://b/", "http://c/", "http://a/"));
  post("http://a/");
  EXPECT_EQ(urls(sender_.bodies(5)).at(4), "http://a/");
}

TEST_F(AlertsTest, CountsWhatTheBoardPushedOff) {
  const double before = outcomes("dropped");
  begin();
  // On the alerts' own core, so that they come to it only when all is posted.
  std::promise<void> all_posted;
  asio::post(cores_.at(0), [&] {
    for (size_t i = 0; i < control::NoticeBoard::kKeep + 5; ++i) post("http://a/");
    all_posted.set_value();
  });
  all_posted.get_future().wait();
  sender_.bodies(1);
  EXPECT_EQ(outcomes("dropped"), before + 5);
}

TEST_F(AlertsTest, StopSendsWhatThereIsWithoutWaiting) {
  auto options = usual();
  options.retries = {1h, 1h};
  sender_.script({500, 500});
  begin(options);
  post("http://a/");
  sender_.bodies(1);
  post("http://b/");
  end();
  EXPECT_THAT(urls(sender_.bodies(3)), ElementsAre("http://a/", "http://a/", "http://b/"));
  post("http://late/");
  EXPECT_EQ(sender_.bodies(3).size(), 3U);
}

TEST_F(AlertsTest, StopCutsAHangingReceiverOffAtTheDeadline) {
  sender_.hold(true);
  begin();
  post("http://a/");
  sender_.bodies(1);
  post("http://b/");
  end(std::chrono::steady_clock::now() + 20ms);
  EXPECT_EQ(sender_.bodies(1).size(), 1U);
}

}  // namespace
}  // namespace eventhorn::delivery
