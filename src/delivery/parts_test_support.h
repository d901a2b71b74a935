// The parts of an engine without the engine: one endpoint with one lane, on a store, a loop that
// runs when the test says so, and a clock that is moved by hand. Attempts are held until the test
// ends them.
#pragma once

#include "async/moved_clock.h"
#include "async/task_group.h"
#include "delivery/lane_test_support.h"
#include "delivery/outcomes.h"
#include "delivery/transitions.h"
#include "store/rocks/rocks_store.h"

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::delivery {

using namespace std::chrono_literals;
using control::NoticeKind;

class PartsTest : public ::testing::Test,
                  public Scheduler::Listener,
                  public LogReader::Listener,
                  public RetryBook::Listener,
                  public Saver::Listener {
 protected:
  PartsTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "eventhorn-parts-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    store::RocksOptions rocks;
    rocks.directory = directory_;
    rocks.ballast_bytes = 0;
    store_ = std::move(store::RocksStore::open(rocks, clock_)).value();
    reader_.emplace(
        LogReader::Parts{pool_, *store_, clock_, router_, timers_, saver_, retries_, *this},
        32U << 20, tasks_);
    make({});
    saver_.begin({});
    endpoint_->story().since = clock_.now();
    lane_->subscribe(all_since(0));
    endpoint_->add(lane_);
    loops_.spawn("timers", timers_.run());
    loops_.spawn("saves", saver_.run());
    run();
  }

  ~PartsTest() override {
    scheduler_.stop();
    attempts_.clear();
    loops_.cancel();
    io_.restart();
    while (tasks_.size() + loops_.size() > 0) io_.run_one();  // a read may be under way
    pool_.join();
    reader_.reset();
    store_.reset();
    std::filesystem::remove_all(directory_);
  }

  void make(OutcomesOptions options) {
    outcomes_.emplace(Outcomes::Parts{clock_, *store_, random_, saver_, retries_, *reader_,
                                      scheduler_, transitions_, recent_},
                      options);
  }

  void start(Attempt attempt) override { attempts_.push_back(std::move(attempt)); }

  void read_more(const LanePtr&) override {}

  void on_health(const EndpointPtr& endpoint, Health::Change change) override {
    transitions_.on_change(endpoint, change, endpoint->story().reason);
  }

  void on_read(const LanePtr& lane) override { scheduler_.schedule(lane); }

  void tell(const Lane& lane, NoticeKind kind, control::Notice notice) override {
    transitions_.tell(lane, kind, std::move(notice));
  }

  bool store_is_good() const override { return true; }

  void on_due(const LanePtr& lane) override { scheduler_.schedule(lane); }

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

  /// An event comes in, and its first attempt starts.
  void send(uint64_t position) {
    offer(*lane_, make_event(position));
    scheduler_.schedule(lane_);
    ASSERT_FALSE(attempts_.empty());
  }

  static SendReply status(int status) {
    SendReply reply;
    reply.result.status = status;
    return reply;
  }

  static SendReply failure(webhook::FailureKind kind) {
    SendReply reply;
    reply.result.kind = kind;
    reply.result.error = "no luck";
    return reply;
  }

  /// The oldest attempt, of which the test decides.
  Attempt take_first() {
    CHECK(!attempts_.empty());
    Attempt attempt = std::move(attempts_.front());
    attempts_.pop_front();
    attempt.decide();
    return attempt;
  }

  /// An event waits, and its retry starts.
  void wait_for_retry(uint64_t position) {
    Waiting waiting;
    waiting.attempts = 1;
    waiting.hook = Hook::kDelivered;
    retries_.wait(lane_, {position}, waiting);
    retries_.at(clock_.steady_now(), lane_, {position});
    run();
    ASSERT_EQ(attempts_.size(), 1U);
  }

  /// The event of the oldest attempt cannot be read; it is put off, and its next attempt starts.
  void cannot_read(Errc code) {
    {
      auto attempt = take_first();
      outcomes_->on_unreadable(attempt.lane(), attempt.job(), Error(code, "no luck"));
    }
    advance(5s);
  }

  /// The oldest attempt ends so.
  void reply(const SendReply& reply) {
    ASSERT_FALSE(attempts_.empty());
    auto attempt = take_first();
    outcomes_->on_reply(attempt.endpoint(), attempt.lane(), attempt.job(), reply,
                        clock_.steady_now());
  }

  /// What was written until now, since the last call.
  store::Progress saved() {
    advance(5ms);
    advance(5ms);
    store::Progress all;
    for (const auto& progress : std::exchange(saves_, {})) {
      all.exceptions.insert(all.exceptions.end(), progress.exceptions.begin(),
                            progress.exceptions.end());
      all.attempts.insert(all.attempts.end(), progress.attempts.begin(), progress.attempts.end());
      all.ended_exceptions.insert(all.ended_exceptions.end(), progress.ended_exceptions.begin(),
                                  progress.ended_exceptions.end());
      all.endpoints.insert(all.endpoints.end(), progress.endpoints.begin(),
                           progress.endpoints.end());
    }
    return all;
  }

  std::vector<NoticeKind> notices() const {
    std::vector<NoticeKind> out;
    for (const auto& notice : notices_.after(0, 100)) out.push_back(notice.kind);
    return out;
  }

  const EndpointPtr& endpoint() const { return endpoint_; }

  boost::asio::io_context io_{1};
  Pool pool_{"pool", 1};
  MovedClock clock_;
  crypto::RandomPool random_;
  std::filesystem::path directory_;
  std::unique_ptr<store::RocksStore> store_;
  std::vector<store::Progress> saves_;
  control::NoticeBoard notices_;
  Router router_{store::SlotSet::all()};
  EndpointPtr endpoint_ = std::make_shared<Endpoint>(
      "http://a/", HealthOptions{.park_after_failures = 2, .park_after = 0ms},
      std::make_shared<Places>(100));
  LanePtr lane_ = std::make_shared<Lane>(LaneId{1}, DomainUid{1}, "http://a/");
  Timers timers_{io_.get_executor(), clock_};
  Saver saver_{io_.get_executor(),
               clock_,
               {},
               [this](store::Progress progress, const std::function<void()>& written) {
                 saves_.push_back(std::move(progress));
                 written();
               },
               *this};
  RetryBook retries_{{}, clock_, timers_, saver_, random_, *this};
  TaskGroup tasks_{io_.get_executor(), clock_};
  TaskGroup loops_{io_.get_executor(), clock_};
  std::optional<LogReader> reader_;
  Scheduler scheduler_{{clock_, timers_, saver_, retries_, random_, *this}, 100, 5ms};
  Transitions transitions_{{clock_, router_, saver_, retries_, scheduler_, notices_},
                           {webhook::RetrySchedule({1min, 2min}, 0)}};
  RecentSuccesses recent_{1 << 20};
  std::optional<Outcomes> outcomes_;
  std::deque<Attempt> attempts_;
};

}  // namespace eventhorn::delivery
