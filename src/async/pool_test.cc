#include "async/pool.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <latch>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <thread>

namespace eventhorn {
namespace {

// Where a piece of work ran.
struct Place {
  std::string result;
  std::thread::id inside;
  std::thread::id after;
};

Task<void> use_pool(Pool& pool, Place& place) {
  const std::string text(100, 'z');
  auto work = [&] {
    place.inside = std::this_thread::get_id();
    return text + "!";
  };
  place.result = co_await run_blocking(pool, work);
  place.after = std::this_thread::get_id();
}

TEST(Pool, WorkLeavesTheLoopAndComesBack) {
  asio::io_context io(1);
  Pool pool("pool", 1);
  Place place;
  asio::co_spawn(io, use_pool(pool, place), asio::detached);
  io.run();
  EXPECT_EQ(place.result.size(), 101U);
  EXPECT_NE(place.inside, std::this_thread::get_id());
  EXPECT_EQ(place.after, std::this_thread::get_id());
}

TEST(Pool, WorkRunsOnTheExecutorGiven) {
  asio::io_context io(1);
  asio::io_context other(1);
  Pool pool(other.get_executor());
  Place place;
  asio::co_spawn(io, use_pool(pool, place), asio::detached);
  io.poll();
  EXPECT_TRUE(place.result.empty());
  EXPECT_GT(other.poll(), 0U);
  io.restart();
  io.run();
  EXPECT_EQ(place.result.size(), 101U);
  EXPECT_EQ(place.inside, std::this_thread::get_id());
  pool.join();
}

TEST(Pool, WorkRunsOnAsManyThreadsAsAskedForUnderTheirName) {
  Pool pool("three", 3);
  std::latch all(3);
  std::atomic<int> named{0};
  for (int i = 0; i < 3; ++i) {
    asio::post(pool.executor(), [&] {
      all.arrive_and_wait();
      std::array<char, 16> name{};
      pthread_getname_np(pthread_self(), name.data(), name.size());
      if (std::string(name.data()) == "three") ++named;
    });
  }
  pool.join();
  EXPECT_EQ(named, 3);
}

TEST(Pool, JoinRunsWhatWasGivenBefore) {
  int done = 0;
  Pool pool("pool", 1);
  for (int i = 0; i < 100; ++i) asio::post(pool.executor(), [&] { ++done; });
  pool.join();
  EXPECT_EQ(done, 100);
  pool.join();
}

Task<void> fail_on(Pool& pool, std::string& what) {
  auto work = []() -> int { throw std::runtime_error("boom"); };
  try {
    co_await run_blocking(pool, work);
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
}

TEST(Pool, AnExceptionComesBackToo) {
  asio::io_context io(1);
  Pool pool("pool", 1);
  std::string what;
  asio::co_spawn(io, fail_on(pool, what), asio::detached);
  io.run();
  EXPECT_EQ(what, "boom");
}

}  // namespace
}  // namespace eventhorn
