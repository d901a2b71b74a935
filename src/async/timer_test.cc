#include "async/timer.h"

#include "async/bell.h"
#include "async/moved_clock.h"
#include "async/task_group.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <vector>

namespace eventhorn {
namespace {

using namespace std::chrono_literals;

class TimerTest : public ::testing::Test {
 protected:
  /// Waits `times` times and notes how each wait ended.
  static Task<void> note(Timer& timer, int times, std::vector<bool>& ends) {
    for (int i = 0; i < times; ++i) {
      const bool came = co_await timer.wait();
      ends.push_back(came);
      if (came) timer.set(SteadyTime::max());
    }
  }

  void run() {
    io_.restart();
    io_.poll();
  }

  boost::asio::io_context io_{1};
  MovedClock clock_;
  std::vector<bool> ends_;
};

TEST_F(TimerTest, WaitsForTheClockGivenAlone) {
  const auto start = clock_.steady_now();
  Timer timer(io_.get_executor(), clock_, start + 1h);
  asio::co_spawn(io_, note(timer, 2, ends_), asio::detached);
  run();
  clock_.advance(1h - 1us);
  run();
  EXPECT_TRUE(ends_.empty());
  clock_.advance(1us);
  run();
  EXPECT_EQ(ends_, std::vector<bool>{true});
  timer.set(clock_.steady_now());
  run();
  EXPECT_EQ(ends_, (std::vector<bool>{true, true}));
}

TEST_F(TimerTest, ATimeThatIsSetAnewCountsForTheWaitUnderWay) {
  const auto start = clock_.steady_now();
  Timer timer(io_.get_executor(), clock_, start + 1h);
  asio::co_spawn(io_, note(timer, 1, ends_), asio::detached);
  run();
  timer.set(start + 2h);
  clock_.advance(1h);
  run();
  EXPECT_TRUE(ends_.empty());
  timer.set(start + 90min);
  clock_.advance(30min);
  run();
  EXPECT_EQ(ends_, std::vector<bool>{true});
}

TEST_F(TimerTest, ACancelEndsOneWait) {
  Timer timer(io_.get_executor(), clock_);
  timer.cancel();  // before the wait: it ends at once
  asio::co_spawn(io_, note(timer, 2, ends_), asio::detached);
  run();
  EXPECT_EQ(ends_, std::vector<bool>{false});
  timer.cancel();
  run();
  EXPECT_EQ(ends_, (std::vector<bool>{false, false}));
}

Task<void> cancel_all(TaskGroup& group, bool& ended) {
  group.cancel();
  ended = co_await group.join(Deadline::max());
}

TEST_F(TimerTest, AWaitEndsWithItsTask) {
  Timer timer(io_.get_executor(), clock_);
  TaskGroup group(io_.get_executor(), clock_);
  group.spawn("waits", note(timer, 1, ends_));
  run();
  bool ended = false;
  asio::co_spawn(io_, cancel_all(group, ended), asio::detached);
  run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(ends_.empty());
  asio::co_spawn(io_, note(timer, 1, ends_), asio::detached);
  timer.set(clock_.steady_now());
  run();
  EXPECT_EQ(ends_, std::vector<bool>{true}) << "another one may wait";
}

Task<void> join(TaskGroup& group, Deadline deadline, std::vector<bool>& ends) {
  const bool empty = co_await group.join(deadline);
  ends.push_back(empty);
}

TEST_F(TimerTest, AGroupIsJoinedUntilATimeOfItsClock) {
  const auto start = clock_.steady_now();
  Timer timer(io_.get_executor(), clock_, start + 2h);
  TaskGroup group(io_.get_executor(), clock_);
  std::vector<bool> ends;
  group.spawn("waits", note(timer, 1, ends));
  asio::co_spawn(io_, join(group, start + 1h, ends_), asio::detached);
  run();
  EXPECT_TRUE(ends_.empty());
  clock_.advance(1h);
  run();
  EXPECT_EQ(ends_, std::vector<bool>{false});
  asio::co_spawn(io_, join(group, start + 3h, ends_), asio::detached);
  run();
  clock_.advance(1h);
  run();
  EXPECT_EQ(ends_, (std::vector<bool>{false, true}));
}

Task<void> hear(std::shared_ptr<Bell> bell, Deadline deadline, std::vector<bool>& ends) {
  const bool rung = co_await bell->wait(deadline);
  ends.push_back(rung);
}

TEST_F(TimerTest, ABellIsWaitedForUntilATimeOfItsClock) {
  const auto bell = std::make_shared<Bell>(io_.get_executor(), clock_);
  asio::co_spawn(io_, hear(bell, clock_.steady_now() + 1h, ends_), asio::detached);
  run();
  EXPECT_TRUE(ends_.empty());
  clock_.advance(1h);
  run();
  EXPECT_EQ(ends_, std::vector<bool>{false});
  asio::co_spawn(io_, hear(bell, Deadline::max(), ends_), asio::detached);
  run();
  bell->ring();
  run();
  EXPECT_EQ(ends_, (std::vector<bool>{false, true}));
}

Task<void> note_number(const Clock& clock, SteadyTime when, int number, std::vector<int>& out) {
  co_await sleep_until(clock, when);
  out.push_back(number);
}

TEST_F(TimerTest, AMovedClockTellsWhenTheNextWaitEnds) {
  EXPECT_EQ(clock_.next(), SteadyTime::max());
  const auto start = clock_.steady_now();
  std::vector<int> woken;
  for (int i = 0; i < 3; ++i)
    asio::co_spawn(io_, note_number(clock_, start + (3 - i) * 1h, i, woken), asio::detached);
  run();
  EXPECT_EQ(clock_.next(), start + 1h);
  clock_.advance(1h);
  run();
  EXPECT_EQ(woken, std::vector<int>{2});
  EXPECT_EQ(clock_.next(), start + 2h);
  clock_.advance(2h);
  run();
  EXPECT_EQ(woken, (std::vector<int>{2, 0, 1})) << "the first to be made is the first to be woken";
  EXPECT_EQ(clock_.next(), SteadyTime::max());
}

TEST_F(TimerTest, GoesBySystemTimeToo) {
  const SystemClock clock;
  const auto when = clock.steady_now() + 2ms;
  Timer timer(io_.get_executor(), clock, when + 1h);
  asio::co_spawn(io_, note(timer, 1, ends_), asio::detached);
  run();
  timer.set(when);
  io_.restart();
  io_.run();
  EXPECT_EQ(ends_, std::vector<bool>{true});
  EXPECT_GE(clock.steady_now(), when);
}

}  // namespace
}  // namespace eventhorn
