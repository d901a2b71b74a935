#include "delivery/timers.h"

#include "async/moved_clock.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <string>

namespace eventhorn::delivery {
namespace {

using namespace std::chrono_literals;

class TimersTest : public ::testing::Test {
 protected:
  TimersTest() : timers_(io_.get_executor(), clock_) {
    asio::co_spawn(io_, timers_.run(), asio::detached);
    run();
  }

  void note_at(SteadyTime when, char what) {
    timers_.at(when, [this, what] { done_ += what; });
  }

  void run() {
    io_.restart();
    io_.poll();
  }

  std::string advance(Micros by) {
    clock_.advance(by);
    run();
    return done_;
  }

  MovedClock clock_;
  std::string done_;
  boost::asio::io_context io_{1};
  Timers timers_;
};

TEST_F(TimersTest, CallsEachInItsTime) {
  const auto start = clock_.steady_now();
  note_at(start + 2s, 'c');
  note_at(start + 1s, 'a');  // earlier than the one that is waited for
  note_at(start + 1s, 'b');
  EXPECT_EQ(advance(999ms), "");
  EXPECT_EQ(advance(1ms), "ab");
  EXPECT_EQ(advance(10s), "abc");
  EXPECT_EQ(timers_.size(), 0U);
}

TEST_F(TimersTest, WhatIsLateAlreadyIsCalledByTheLoopAndNotByTheCaller) {
  note_at(clock_.steady_now() - 1s, 'a');
  EXPECT_EQ(done_, "");
  run();
  EXPECT_EQ(done_, "a");
}

TEST_F(TimersTest, WhatIsCalledMayAskForMore) {
  const auto start = clock_.steady_now();
  timers_.at(start + 2s, [this, start] {
    note_at(start + 3s, 'b');
    note_at(start + 1s, 'a');  // its time is over
  });
  EXPECT_EQ(advance(2s), "a");
  EXPECT_EQ(advance(1s), "ab");
}

}  // namespace
}  // namespace eventhorn::delivery
