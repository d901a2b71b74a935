#include "control/retention.h"

#include "async/moved_clock.h"
#include "async/task_group.h"
#include "base/test_support.h"
#include "store/memory/memory_store.h"
#include "store/store_test_support.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace eventhorn::control {
namespace {

using namespace std::chrono_literals;
using store::WriteSet;

constexpr RetentionOptions kOptions{4h, 2h};

struct Faults final : store::MemoryFaults {
  Status on(Operation operation) override {
    if (operation == failing) return fail(Errc::kUnavailable, "fault");
    return {};
  }

  std::optional<Operation> failing;
};

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() { tasks_.spawn("retention", retention_.run()); }

  ~RetentionTest() override {
    tasks_.cancel();
    settle();
  }

  Position append(const std::string& id) {
    WriteSet set;
    set.appends.push_back({store::make_event(id), WriteSet::Append::Outcome::kStored, nullptr});
    EXPECT_TRUE(store_->commit(set));
    return store_->head();
  }

  /// In steps, so that nothing that looks in between is overtaken.
  void pass(Micros time) {
    for (Micros step = 5s; time > Micros(0); time -= step) {
      clock_.advance(std::min(step, time));
      settle();
    }
  }

  void settle() {
    io_.restart();
    io_.poll();
  }

  bool has(Position position) { return expect(store_->read_events({position})).front() != nullptr; }

  size_t notices() const { return board_.newest(NoticeBoard::kKeep).size(); }

  boost::asio::io_context io_{1};
  MovedClock clock_;
  Faults faults_;
  store::MemoryDisk disk_;
  std::unique_ptr<store::MemoryStore> store_ = expect(
      store::MemoryStore::open(disk_, clock_, {&faults_, Retention::clock_hold(kOptions.events)}));
  NoticeBoard board_{clock_.now()};
  Pool pool_{io_.get_executor()};
  TaskGroup tasks_{io_.get_executor(), clock_};
  std::vector<Position> expired_;
  Retention retention_{
      kOptions, *store_, *store_, board_, clock_, pool_, [this](Position last) -> Task<void> {
        expired_.push_back(last);
        co_return;
      }};
};

TEST_F(RetentionTest, WhatIsOlderGoesAnIntervalLaterAtMost) {
  const Position first = append("1");
  pass(1h);
  const Position second = append("2");
  pass(3h - 1min);
  EXPECT_TRUE(has(first));
  pass(Retention::interval(kOptions.events) + 1min);
  EXPECT_FALSE(has(first));
  EXPECT_TRUE(has(second));
  ASSERT_FALSE(expired_.empty());
  EXPECT_EQ(expired_.back(), first);
}

TEST_F(RetentionTest, AClockThatJumpsAheadForAWhileTakesNothing) {
  const Position position = append("1");
  clock_.jump_wall(24h * 365);
  pass(30min);
  clock_.jump_wall(-24h * 365);
  pass(2h);
  EXPECT_TRUE(has(position));
  EXPECT_EQ(notices(), 1U);
  EXPECT_EQ(board_.newest(1).front().kind, NoticeKind::kClock);
  pass(2h);
  EXPECT_FALSE(has(position));
}

TEST_F(RetentionTest, AClockThatWasSetForGoodIsFollowed) {
  const Position position = append("1");
  pass(1min);  // what is committed just before a jump is kept as if it had come after
  clock_.jump_wall(3h);
  pass(Retention::clock_hold(kOptions.events) + 5min);
  EXPECT_EQ(notices(), 2U) << "that it is ahead, and that it stayed so";
  pass(10min);
  EXPECT_FALSE(has(position)) << "three hours were made good in a few minutes";
}

TEST_F(RetentionTest, WhatFailedIsTriedAgain) {
  const Position position = append("1");
  faults_.failing = store::MemoryFaults::Operation::kFindByTime;
  pass(5h);
  EXPECT_TRUE(has(position));
  EXPECT_TRUE(expired_.empty()) << "lanes are told of what is gone only";
  faults_.failing.reset();
  pass(Retention::interval(kOptions.events));
  EXPECT_FALSE(has(position));
}

TEST_F(RetentionTest, TheOldestGoSoonerWhenTheyAreTooManyBytes) {
  std::vector<Position> positions;
  for (int i = 0; i < 10; ++i) {
    positions.push_back(append(std::to_string(i)));
    pass(5s);
  }
  const auto size = expect(store_->read_events({positions[0]})).front()->event.bytes.size();
  RetentionOptions options = kOptions;
  options.bytes = 4 * size + 1;
  Retention retention(options, *store_, *store_, board_, clock_, pool_,
                      [this](Position last) -> Task<void> {
                        expired_.push_back(last);
                        co_return;
                      });
  tasks_.spawn("by bytes", retention.run());
  pass(1min);
  EXPECT_FALSE(has(positions[5]));
  EXPECT_TRUE(has(positions[6]));
  ASSERT_FALSE(expired_.empty());
  EXPECT_EQ(expired_.back(), positions[5]);
  tasks_.cancel();
  settle();
}

TEST(RetentionTimes, FollowTheRetention) {
  EXPECT_EQ(Retention::clock_hold(10min), 150s);
  EXPECT_EQ(Retention::clock_hold(24h * 30), 1h);
  EXPECT_EQ(Retention::interval(10s), 1s);
  EXPECT_EQ(Retention::interval(24h), 1h);
  EXPECT_EQ(Retention::interval(24h * 30), 1h);
}

}  // namespace
}  // namespace eventhorn::control
