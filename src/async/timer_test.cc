#include "async/timer.h"

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
  TaskGroup group(io_.get_executor());
  group.spawn("waits", note(timer, 1, ends_));
  run();
  bool ended = false;
  asio::co_spawn(io_, cancel_all(group, ended), asio::detached);
  run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(ends_.empty());
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
