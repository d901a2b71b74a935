#include "async/bell.h"
#include "async/cores.h"
#include "async/task.h"
#include "async/task_group.h"
#include "base/metrics.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

namespace eventhorn {
namespace {

using namespace std::chrono_literals;

const SystemClock kClock;

Task<void> forever() {
  for (;;) co_await sleep_until(kClock, kClock.steady_now() + 1h);
}

Task<void> throws() {
  co_await sleep_until(kClock, kClock.steady_now());
  throw std::runtime_error("boom");
}

Task<void> use_group(asio::any_io_executor executor, size_t* left, bool* joined) {
  TaskGroup group(executor, kClock);
  group.spawn("forever", forever());
  group.spawn("throws", throws());
  const bool early = co_await group.join(kClock.steady_now() + 20ms);
  EXPECT_FALSE(early);
  *left = group.size();
  EXPECT_EQ(group.names(), std::vector<std::string>{"forever"});
  group.cancel();
  *joined = co_await group.join(Deadline::max());
}

TEST(TaskGroup, CancelEndsWhatJoinWaitsFor) {
  asio::io_context io(1);
  size_t left = 0;
  bool joined = false;
  auto bugs = metrics::counter("eventhorn_bugs_total", "");
  const double before = bugs.value();
  asio::co_spawn(io, use_group(io.get_executor(), &left, &joined), asio::detached);
  io.run();
  EXPECT_EQ(left, 1U);
  EXPECT_TRUE(joined);
  EXPECT_EQ(bugs.value(), before + 1);
}

Task<void> use_bell(std::shared_ptr<Bell> bell) {
  bell->ring();
  bell->ring();
  const bool rung_before = co_await bell->wait(Deadline::max());
  EXPECT_TRUE(rung_before);
  const bool counted_once = !co_await bell->wait(kClock.steady_now() + 5ms);
  EXPECT_TRUE(counted_once);
  const std::jthread other([bell] { bell->ring(); });
  const bool rung_meanwhile = co_await bell->wait(Deadline::max());
  EXPECT_TRUE(rung_meanwhile);
  const bool too_late = !co_await bell->wait(kClock.steady_now() - 1ms);
  EXPECT_TRUE(too_late);
  co_await bell->wait(Deadline::max());  // until the group cancels it
  ADD_FAILURE() << "went on after its cancellation";
}

Task<void> cancel_bell(asio::any_io_executor executor, std::shared_ptr<Bell> bell) {
  TaskGroup group(executor, kClock);
  group.spawn("bell", use_bell(bell));
  co_await group.join(kClock.steady_now() + 50ms);
  group.cancel();
  const bool ended = co_await group.join(Deadline::max());
  EXPECT_TRUE(ended);
}

TEST(Bell, RingsOfOtherThreadsEndAWait) {
  asio::io_context io(1);
  const auto bell = std::make_shared<Bell>(io.get_executor(), kClock);
  asio::co_spawn(io, cancel_bell(io.get_executor(), bell), asio::detached);
  io.run();
}

}  // namespace
}  // namespace eventhorn
