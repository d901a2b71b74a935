#include "async/worker.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace eventhorn {
namespace {

using Pause = std::optional<Micros>;

TEST(WorkerThreads, ATurnComesWhenWokenAndOneAtTheEnd) {
  std::promise<void> first;
  std::promise<void> second;
  int turns = 0;
  WorkerThreads workers;
  const auto worker = workers.make("test", [&]() -> Pause {
    if (++turns == 1) first.set_value();
    if (turns == 2) second.set_value();
    return std::nullopt;
  });
  worker->wake();
  first.get_future().wait();
  worker->wake();
  second.get_future().wait();
  worker->stop();
  EXPECT_EQ(turns, 3) << "one more turn follows stop()";
  worker->stop();
  EXPECT_EQ(turns, 3);
}

TEST(WorkerThreads, AWakeDuringATurnIsNotLost) {
  std::promise<void> began;
  std::promise<void> go_on;
  std::promise<void> second;
  int turns = 0;
  WorkerThreads workers;
  const auto worker = workers.make("test", [&]() -> Pause {
    if (++turns == 1) {
      began.set_value();
      go_on.get_future().wait();
    }
    if (turns == 2) second.set_value();
    return std::nullopt;
  });
  worker->wake();
  began.get_future().wait();
  worker->wake();
  worker->wake();
  go_on.set_value();
  second.get_future().wait();
}

TEST(WorkerThreads, ATurnComesByItselfWhenItsTimeHasCome) {
  std::promise<void> third;
  int turns = 0;
  WorkerThreads workers;
  const auto worker = workers.make("test", [&]() -> Pause {
    if (++turns == 3) third.set_value();
    return turns < 3 ? Pause(Micros(1)) : std::nullopt;
  });
  worker->wake();
  third.get_future().wait();
}

TEST(WorkerThreads, StopWaitsForWorkThatGoesOnAtOnce) {
  std::atomic<bool> stopping{false};
  int left = 10;
  WorkerThreads workers;
  const auto worker = workers.make("test", [&]() -> Pause {
    if (!stopping || left == 0) return std::nullopt;
    --left;
    return Micros(0);
  });
  stopping = true;
  worker->stop();
  EXPECT_EQ(left, 0);
}

}  // namespace
}  // namespace eventhorn
