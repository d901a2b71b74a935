#include "async/cores.h"
#include "async/task.h"
#include "async/task_group.h"
#include "base/metrics.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include <stdexcept>

namespace eventhorn {
namespace {

using namespace std::chrono_literals;

Task<void> forever() {
  for (;;) co_await sleep_until(std::chrono::steady_clock::now() + 1h);
}

Task<void> throws() {
  co_await sleep_until(std::chrono::steady_clock::now());
  throw std::runtime_error("boom");
}

Task<void> use_group(asio::any_io_executor executor, size_t* left, bool* joined) {
  TaskGroup group(executor);
  group.spawn("forever", forever());
  group.spawn("throws", throws());
  const bool early = co_await group.join(std::chrono::steady_clock::now() + 20ms);
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

Task<void> use_pool(asio::thread_pool& pool, std::string* out, std::thread::id* inside) {
  const std::string text(100, 'z');
  auto work = [&text, inside] {
    *inside = std::this_thread::get_id();
    return text + "!";
  };
  *out = co_await run_blocking(pool, work);
}

TEST(RunBlocking, LeavesTheLoopAndComesBack) {
  asio::io_context io(1);
  asio::thread_pool pool(1);
  std::string out;
  std::thread::id inside;
  asio::co_spawn(io, use_pool(pool, &out, &inside), asio::detached);
  io.run();
  pool.join();
  EXPECT_EQ(out.size(), 101U);
  EXPECT_NE(inside, std::this_thread::get_id());
}

}  // namespace
}  // namespace eventhorn
