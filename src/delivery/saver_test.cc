#include "delivery/saver.h"

#include "async/moved_clock.h"
#include "async/task_group.h"
#include "delivery/lane_test_support.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <optional>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

constexpr store::SlotSet kSlots{1 << 3};

// A saver over a store that answers when the test says so.
class SaverTest : public ::testing::Test, public Saver::Listener {
 protected:
  SaverTest() { make({.slots = kSlots, .interval = 5ms, .max_unsaved = 8}); }

  void make(SaverOptions options) {
    loop_ = std::make_unique<TaskGroup>(io_.get_executor(), clock_);
    saver_ = std::make_unique<Saver>(
        io_.get_executor(), clock_, std::move(options),
        [this](store::Progress progress, std::function<void()> saved) {
          saves_.push_back(std::move(progress));
          answers_.push_back(std::move(saved));
        },
        *this);
    loop_->spawn("saves", saver_->run());
  }

  ~SaverTest() override {
    loop_->cancel();
    run();
  }

  /// The saver after its start, which is saved.
  void begin() {
    saver_->begin({100});
    advance(1s);
    answer();
    saves_.clear();
  }

  void on_settled(const LanePtr& lane) override {
    lane->ended = true;
    settled_.push_back(lane->id());
  }

  void on_saved() override { ++saved_; }

  void run() {
    io_.restart();
    io_.poll();
  }

  void advance(Micros by) {
    clock_.advance(by);
    run();
  }

  /// The store has written all that was given to it.
  void answer() {
    for (const auto& saved : std::exchange(answers_, {})) saved();
    run();
  }

  /// A lane with an event at the position that is offered, and not settled.
  static LanePtr lane_with_event(uint64_t position) {
    auto lane = make_lane();
    offer(*lane, make_event(position));
    return lane;
  }

  static store::ExceptionRow exception(uint64_t position) {
    store::ExceptionRow row;
    row.lane = {1};
    row.position = {position};
    return row;
  }

  static void settle_next(Lane& lane) {
    const auto job = lane.take(true, SteadyTime{});
    ASSERT_TRUE(job);
    lane.settle(*job);
  }

  void count_outcomes(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      saver_->put_attempt({});
      saver_->count_outcome();
    }
    saver_->save_many();
  }

  static Task<void> note(Task<Status> task, std::optional<Status>& out) {
    out = co_await std::move(task);
  }

  static Task<void> note_end(Task<void> task, bool& ended) {
    co_await std::move(task);
    ended = true;
  }

  boost::asio::io_context io_{1};
  MovedClock clock_;
  std::vector<store::Progress> saves_;
  std::vector<std::function<void()>> answers_;
  std::vector<LaneId> settled_;
  int saved_ = 0;
  std::unique_ptr<TaskGroup> loop_;
  std::unique_ptr<Saver> saver_;
};

TEST_F(SaverTest, NothingIsSavedBeforeAllIsKnown) {
  saver_->mark(lane_with_event(1));
  advance(1min);
  EXPECT_TRUE(saves_.empty());
  saver_->begin({1});
  advance(5ms);
  ASSERT_EQ(saves_.size(), 1U);
  EXPECT_EQ(saves_[0].lanes.size(), 1U);
  EXPECT_EQ(saves_[0].mark, (store::SlotMark{kSlots, {1}}));
}

TEST_F(SaverTest, GathersWhatChangesWithinTheInterval) {
  begin();
  const auto lane = lane_with_event(101);
  saver_->mark(lane);
  advance(4ms);
  saver_->mark(lane);
  saver_->put_exception(exception(101));
  EXPECT_TRUE(saves_.empty());
  advance(1ms);
  ASSERT_EQ(saves_.size(), 1U);
  EXPECT_EQ(saves_[0].lanes.size(), 1U);
  EXPECT_EQ(saves_[0].exceptions.size(), 1U);
}

TEST_F(SaverTest, OneSaveIsUnderWayAtATime) {
  begin();
  const auto lane = lane_with_event(101);
  saver_->mark(lane);
  advance(5ms);
  saver_->mark(lane);
  advance(1min);
  EXPECT_EQ(saves_.size(), 1U);
  answer();
  EXPECT_EQ(saved_, 2);  // with the one of begin()
  advance(5ms);
  EXPECT_EQ(saves_.size(), 2U);
}

TEST_F(SaverTest, ALaneThatIsSettledBetweenTwoSavesHasNoRow) {
  begin();
  const auto lane = lane_with_event(101);
  saver_->mark(lane);
  EXPECT_TRUE(saver_->keeps(*lane));
  settle_next(*lane);
  saver_->handed_over({101});
  advance(5ms);
  ASSERT_EQ(saves_.size(), 1U);
  EXPECT_TRUE(saves_[0].lanes.empty());
  EXPECT_TRUE(saves_[0].settled_lanes.empty());
  EXPECT_EQ(saves_[0].mark, (store::SlotMark{kSlots, {101}}));
  EXPECT_EQ(settled_, std::vector<LaneId>{lane->id()});
}

TEST_F(SaverTest, TheRowOfALaneEndsWithItsLastUnsettledEvent) {
  begin();
  const auto lane = lane_with_event(101);
  saver_->mark(lane);
  advance(5ms);
  answer();
  EXPECT_TRUE(settled_.empty());
  settle_next(*lane);
  saver_->mark(lane);
  advance(5ms);
  ASSERT_EQ(saves_.size(), 2U);
  EXPECT_EQ(saves_[0].lanes.size(), 1U);
  EXPECT_EQ(saves_[1].settled_lanes, std::vector<LaneId>{lane->id()});
  EXPECT_EQ(settled_, std::vector<LaneId>{lane->id()});
}

TEST_F(SaverTest, ALaneThatEndedHasNoRow) {
  begin();
  const auto lane = lane_with_event(101);
  saver_->mark(lane);
  lane->ended = true;
  saver_->end_lane(lane->id());
  advance(5ms);
  ASSERT_EQ(saves_.size(), 1U);
  EXPECT_TRUE(saves_[0].lanes.empty());
  EXPECT_EQ(saves_[0].ended_lanes, std::vector<LaneId>{lane->id()});
}

TEST_F(SaverTest, WhatIsHandedOverAloneIsSavedOnceASecond) {
  begin();
  saver_->handed_over({101});
  saver_->handed_over({102});
  advance(999ms);
  EXPECT_TRUE(saves_.empty());
  advance(1ms);
  ASSERT_EQ(saves_.size(), 1U);
  EXPECT_EQ(saves_[0].mark, (store::SlotMark{kSlots, {102}}));
  answer();
  advance(1min);
  EXPECT_EQ(saves_.size(), 1U);  // nothing is new
}

TEST_F(SaverTest, AnEndpointHasARowWhileItIsNotActive) {
  begin();
  const auto endpoint = std::make_shared<Endpoint>("http://a/", HealthOptions{});
  endpoint->health().pause();
  saver_->mark(endpoint);
  saver_->mark(endpoint);
  EXPECT_TRUE(saver_->holds(*endpoint));
  advance(5ms);
  answer();
  EXPECT_FALSE(saver_->holds(*endpoint));
  (void)endpoint->health().resume(clock_.steady_now());
  saver_->mark(endpoint);
  advance(5ms);
  ASSERT_EQ(saves_.size(), 2U);
  ASSERT_EQ(saves_[0].endpoints.size(), 1U);
  EXPECT_EQ(saves_[0].endpoints[0].state, Health::State::kPaused);
  EXPECT_TRUE(saves_[1].endpoints.empty());
  EXPECT_EQ(saves_[1].well_endpoints, std::vector<std::string>{"http://a/"});
}

TEST_F(SaverTest, OutcomesThatAreNotSavedAreBounded) {
  begin();
  count_outcomes(1);
  EXPECT_TRUE(saves_.empty());
  count_outcomes(1);  // a quarter of the bound: at once
  ASSERT_EQ(saves_.size(), 1U);
  EXPECT_EQ(saves_[0].attempts.size(), 2U);
  count_outcomes(5);
  EXPECT_FALSE(saver_->full());
  count_outcomes(1);
  EXPECT_TRUE(saver_->full());
  answer();
  EXPECT_FALSE(saver_->full());  // two of eight are written
  advance(5ms);
  answer();
  EXPECT_EQ(saves_.size(), 2U);
}

TEST_F(SaverTest, CoresShareTheBound) {
  const auto unsaved = std::make_shared<std::atomic<size_t>>(7);  // another core's
  loop_->cancel();
  run();
  make({.max_unsaved = 8, .unsaved = unsaved});
  begin();
  count_outcomes(1);
  EXPECT_TRUE(saver_->full());
  advance(5ms);
  answer();
  EXPECT_FALSE(saver_->full());
  EXPECT_EQ(*unsaved, 7U);
}

TEST_F(SaverTest, WhatWasMissedIsUnsavedUntilItIsWritten) {
  begin();
  auto row = exception(101);
  row.missed = true;
  saver_->put_exception(row);
  EXPECT_TRUE(saver_->misses_unsaved());
  advance(5ms);
  EXPECT_TRUE(saver_->misses_unsaved());
  answer();
  EXPECT_FALSE(saver_->misses_unsaved());
}

TEST_F(SaverTest, AFlushWaitsForTheSaveThatHasItsChanges) {
  begin();
  saver_->mark(lane_with_event(101));
  advance(5ms);
  saver_->put_exception(exception(101));
  std::optional<Status> flushed;
  asio::co_spawn(io_, note(saver_->flushed(), flushed), asio::detached);
  run();
  answer();  // the save before
  EXPECT_FALSE(flushed);
  advance(5ms);
  ASSERT_EQ(saves_.size(), 2U);
  EXPECT_EQ(saves_[1].exceptions.size(), 1U);
  EXPECT_FALSE(flushed);
  answer();
  ASSERT_TRUE(flushed);
  EXPECT_TRUE(*flushed);
}

TEST_F(SaverTest, AFlushGivesUpInTime) {
  begin();
  std::optional<Status> flushed;
  asio::co_spawn(io_, note(saver_->flushed(), flushed), asio::detached);
  run();
  EXPECT_EQ(saves_.size(), 1U);  // at once, though nothing has changed
  advance(10s);
  ASSERT_TRUE(flushed);
  ASSERT_FALSE(*flushed);
  EXPECT_EQ(flushed->error().code, Errc::kUnavailable);
  answer();
}

TEST_F(SaverTest, TheEndSavesWhatIsLeft) {
  begin();
  saver_->mark(lane_with_event(101));
  advance(5ms);  // under way
  count_outcomes(1);
  loop_->cancel();
  bool finished = false;
  asio::co_spawn(io_, note_end(saver_->finish(clock_.steady_now()), finished), asio::detached);
  run();
  ASSERT_EQ(saves_.size(), 2U);
  EXPECT_EQ(saves_[1].attempts.size(), 1U);
  EXPECT_FALSE(finished);
  answer();
  EXPECT_TRUE(finished);
}

TEST_F(SaverTest, TheEndComesThoughTheStoreDoesNotAnswer) {
  begin();
  bool finished = false;
  asio::co_spawn(io_, note_end(saver_->finish(clock_.steady_now() + 1s), finished), asio::detached);
  run();
  advance(5s);
  EXPECT_FALSE(finished);
  advance(1s);
  EXPECT_TRUE(finished);
}

}  // namespace
}  // namespace eventhorn::delivery
