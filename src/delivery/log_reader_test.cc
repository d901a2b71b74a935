#include "delivery/log_reader.h"

#include "async/moved_clock.h"
#include "delivery/lane_test_support.h"
#include "delivery/watched_store_test_support.h"
#include "store/rocks/rocks_store.h"

#include <boost/asio/io_context.hpp>

#include <cstdlib>
#include <filesystem>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

constexpr DomainUid kDomain{1};

// A log, and a reader whose lanes nobody sends.
class LogReaderTest : public ::testing::Test,
                      public LogReader::Listener,
                      public RetryBook::Listener,
                      public Saver::Listener {
 protected:
  LogReaderTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "eventhorn-reader-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    store::RocksOptions rocks;
    rocks.directory = directory_;
    rocks.ballast_bytes = 0;
    rocks_ = std::move(store::RocksStore::open(rocks, clock_)).value();
    store_ = std::make_unique<WatchedStore>(*rocks_);
    make(32 << 20);
    loops_.spawn("timers", timers_.run());
  }

  ~LogReaderTest() override {
    loops_.cancel();
    run();
    pool_.join();
    reader_.reset();
    store_.reset();
    rocks_.reset();
    std::filesystem::remove_all(directory_);
  }

  void make(size_t max_live_bytes) {
    reader_.emplace(
        LogReader::Parts{pool_, *store_, clock_, router_, timers_, saver_, retries_, *this},
        max_live_bytes, tasks_);
  }

  void on_read(const LanePtr& lane) override { read_.push_back(lane->id()); }

  void tell(const Lane&, control::NoticeKind kind, control::Notice notice) override {
    told_.push_back(kind);
    count_told_ += notice.count;
  }

  bool store_is_good() const override { return true; }

  void on_due(const LanePtr&) override {}

  void on_settled(const LanePtr&) override {}

  void on_saved() override {}

  void run() {
    io_.restart();
    io_.poll();
  }

  /// Until no read or count is under way.
  void finish() {
    io_.restart();
    while (tasks_.size() > 0) io_.run_one();
  }

  void advance(Micros by) {
    clock_.advance(by);
    run();
  }

  /// Events of the hook `delivered` at the positions that follow; all are handed over.
  void append(size_t count) {
    store::WriteSet set;
    for (size_t i = 0; i < count; ++i) {
      store::NewEvent event;
      event.domain = kDomain;
      event.event.id = "e" + std::to_string(++appended_);
      event.event.timestamp_us = 1'773'222'000'000'000;
      event.event.name = event::Name::kDelivered;
      event.event.bytes = event.event.id;
      set.appends.push_back({std::move(event), store::WriteSet::Append::Outcome::kStored, nullptr});
    }
    ASSERT_TRUE(rocks_->commit(set));
    router_.handed_over(rocks_->head());
  }

  /// A lane that has everything to read.
  LanePtr lane(uint64_t id = 1) {
    auto lane = std::make_shared<Lane>(LaneId{id}, kDomain, endpoint_->url());
    lane->subscribe(all_since(0));
    lane->endpoint = endpoint_.get();
    lane->segments().open(webhook::class_of(Hook::kDelivered), kNoPosition, false);
    return lane;
  }

  static Segment& segment_of(const LanePtr& lane) { return *lane->segments().begin(); }

  /// Reads what the lane wants until it wants no more, or nothing comes.
  void read_all(const LanePtr& lane) {
    reader_->read_more(lane);
    finish();
  }

  /// Positions of what the lane gives, each of which is settled.
  static std::vector<uint64_t> take_all(Lane& lane) {
    std::vector<uint64_t> out;
    while (const auto job = lane.take(true, SteadyTime{})) {
      out.push_back(job->position.value);
      lane.settle(*job);
    }
    return out;
  }

  boost::asio::io_context io_{1};
  Pool pool_{"pool", 2};
  MovedClock clock_;
  std::filesystem::path directory_;
  std::unique_ptr<store::RocksStore> rocks_;
  std::unique_ptr<WatchedStore> store_;
  std::shared_ptr<Endpoint> endpoint_ = std::make_shared<Endpoint>("http://a/", HealthOptions{});
  size_t appended_ = 0;
  std::vector<LaneId> read_;
  std::vector<control::NoticeKind> told_;
  uint64_t count_told_ = 0;
  Router router_{store::SlotSet::all()};
  Timers timers_{io_.get_executor(), clock_};
  Saver saver_{io_.get_executor(),
               clock_,
               {},
               [](const store::Progress&, const std::function<void()>&) {},
               *this};
  crypto::RandomPool random_;
  RetryBook retries_{{}, clock_, timers_, saver_, random_, *this};
  TaskGroup tasks_{io_.get_executor(), clock_};
  TaskGroup loops_{io_.get_executor(), clock_};
  std::optional<LogReader> reader_;
};

TEST_F(LogReaderTest, ALaneThatIsBehindGetsItsEventsInOrder) {
  append(100);
  const auto lane = this->lane();
  read_all(lane);
  EXPECT_EQ(read_.front(), lane->id());
  const auto taken = take_all(*lane);
  ASSERT_EQ(taken.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(taken));
  EXPECT_TRUE(segment_of(lane).caught_up());
}

TEST_F(LogReaderTest, EnoughIsReadAtATime) {
  append(1000);
  const auto lane = this->lane();
  read_all(lane);
  EXPECT_GE(segment_of(lane).held(), kReadBelow);
  EXPECT_LT(segment_of(lane).held(), 1000U);
  size_t taken = 0;
  while (const auto some = take_all(*lane).size()) {
    taken += some;
    read_all(lane);
  }
  EXPECT_EQ(taken, 1000U);
}

TEST_F(LogReaderTest, NothingIsReadBeyondWhatWasHandedOver) {
  append(10);
  const auto through = router_.through();
  append(10);
  Router earlier(store::SlotSet::all());
  earlier.handed_over(through);
  LogReader reader({pool_, *store_, clock_, earlier, timers_, saver_, retries_, *this}, 32 << 20,
                   tasks_);
  const auto lane = this->lane();
  reader.read_more(lane);
  finish();
  EXPECT_EQ(take_all(*lane).size(), 10U);
}

TEST_F(LogReaderTest, WithoutMemoryALaneReadsLittleAndOnlyWhatItNeeds) {
  append(100);
  make(0);
  const auto lane = this->lane();
  read_all(lane);
  const size_t held = segment_of(lane).held();
  EXPECT_GT(held, 0U);
  EXPECT_LE(held, 8U);
  reader_->read_more(lane);  // it has something to send
  EXPECT_EQ(tasks_.size(), 0U);
  EXPECT_EQ(take_all(*lane).size(), held);
  reader_->read_more(lane);
  EXPECT_EQ(tasks_.size(), 1U);
  finish();
}

TEST_F(LogReaderTest, SoManyReadsAreUnderWayAndTheOthersWaitInALine) {
  append(1);
  std::vector<LanePtr> lanes;
  for (uint64_t id = 1; id <= 70; ++id) {
    lanes.push_back(lane(id));
    reader_->read_more(lanes.back());
    reader_->read_more(lanes.back());  // once each
  }
  EXPECT_EQ(tasks_.size(), 64U);
  finish();
  for (const auto& lane : lanes) EXPECT_EQ(take_all(*lane).size(), 1U);
}

TEST_F(LogReaderTest, AnEndpointThatIsNotSentToReadsNothing) {
  append(1);
  endpoint_->health().pause();
  const auto lane = this->lane();
  reader_->read_more(lane);
  EXPECT_EQ(tasks_.size(), 0U);
}

TEST_F(LogReaderTest, AfterItsEndNothingIsRead) {
  append(1);
  reader_->stop();
  reader_->read_more(lane());
  EXPECT_EQ(tasks_.size(), 0U);
}

TEST_F(LogReaderTest, ALogThatCannotBeReadIsTriedAgainAndSkipsNothing) {
  append(10);
  store_->fail_lanes(true);
  const auto lane = this->lane();
  read_all(lane);
  EXPECT_EQ(lane->reading.error(), "the index is damaged");
  EXPECT_EQ(endpoint_->unreadable.lanes(), 1U);
  EXPECT_EQ(told_, std::vector{control::NoticeKind::kUnreadable});
  reader_->read_more(lane);
  EXPECT_EQ(tasks_.size(), 0U);  // not before its time
  read_.clear();
  advance(1s);
  EXPECT_EQ(read_, std::vector{lane->id()});
  read_all(lane);
  EXPECT_EQ(told_.size(), 1U);
  read_.clear();
  advance(1999ms);
  EXPECT_TRUE(read_.empty());  // the pause is twice as long
  store_->fail_lanes(false);
  advance(1ms);
  EXPECT_EQ(read_.size(), 1U);
  read_all(lane);
  EXPECT_TRUE(lane->reading.error().empty());
  EXPECT_EQ(endpoint_->unreadable.lanes(), 0U);
  EXPECT_EQ(take_all(*lane).size(), 10U);
}

TEST_F(LogReaderTest, AnEventThatCannotBeReadCostsItselfAlone) {
  append(3);
  store_->damage({2});
  const auto lane = this->lane();
  read_all(lane);
  EXPECT_EQ(take_all(*lane), (std::vector<uint64_t>{1, 3}));
  EXPECT_EQ(retries_.size(), 1U);
  EXPECT_NE(lane->retries().find({2}), nullptr);
  EXPECT_TRUE(told_.empty());
}

TEST_F(LogReaderTest, OfWhichNoneCanBeReadIsSetAsideInTheEnd) {
  append(2);
  store_->damage({1});
  store_->damage({2});
  const auto lane = this->lane();
  for (int i = 0; i < 4; ++i) {
    read_all(lane);
    EXPECT_EQ(retries_.size(), 0U);
    advance(1min);
  }
  read_all(lane);
  EXPECT_EQ(retries_.size(), 2U);
  EXPECT_TRUE(lane->reading.error().empty());
}

TEST_F(LogReaderTest, WhatRetentionTakesOfALaneThatIsNotSentToIsCounted) {
  append(10);
  const auto lane = this->lane();
  Waiting waiting;
  waiting.hook = Hook::kDelivered;
  retries_.wait(lane, {2}, waiting);
  tasks_.spawn("expiry", reader_->expire(lane, {6}));
  finish();
  EXPECT_EQ(told_, std::vector{control::NoticeKind::kExpired});
  EXPECT_EQ(count_told_, 7U);  // six of the log, and the one that waited
  EXPECT_EQ(retries_.size(), 0U);
  read_all(lane);
  EXPECT_EQ(take_all(*lane), (std::vector<uint64_t>{7, 8, 9, 10}));
}

TEST_F(LogReaderTest, WhatARemovedHookLeavesIsCounted) {
  auto dropped = metrics::counter("eventhorn_dropped_total", "");
  const double before = dropped.value();
  append(10);
  const auto lane = this->lane();
  Waiting waiting;
  waiting.hook = Hook::kDelivered;
  retries_.wait(lane, {20}, waiting);  // of another segment
  reader_->drop_pending(lane, {});     // nothing ended
  EXPECT_EQ(tasks_.size(), 0U);
  reader_->drop_pending(lane, lane->subscribe({}));
  finish();
  EXPECT_EQ(dropped.value(), before + 11);
  EXPECT_EQ(retries_.size(), 0U);
}

}  // namespace
}  // namespace eventhorn::delivery
