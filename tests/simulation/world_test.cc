#include "simulation/world.h"

#include "async/pool.h"
#include "async/task_group.h"
#include "simulation/workers.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;

class WorldTest : public ::testing::Test {
 protected:
  void run() {
    while (world_.step()) {
    }
  }

  Trace trace_;
  World world_{1, trace_};
};

/// Three lines with three pieces of work each, in the order in which they ran.
std::string order(uint64_t seed) {
  Trace trace;
  World world(seed, trace);
  std::string out;
  for (const char name : {'a', 'b', 'c'}) {
    auto& line = world.make_line(std::string(1, name));
    for (int i = 0; i < 3; ++i) asio::post(World::executor(line), [&out, name] { out += name; });
  }
  while (world.step()) {
  }
  return out;
}

TEST_F(WorldTest, TheSeedOrdersTheLines) {
  EXPECT_EQ(order(1), order(1));
  EXPECT_EQ(order(1).size(), 9U);
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) seen.insert(order(seed));
  EXPECT_GT(seen.size(), 10U);
}

TEST_F(WorldTest, ALineThatStallsIsOvertakenAndComesBack) {
  const auto most_in_a_row = [](bool stalls) {
    Trace trace;
    World world(1, trace);
    world.set_stalls(stalls);
    std::string ran;
    for (const char name : {'a', 'b'}) {
      auto& line = world.make_line(std::string(1, name));
      for (int i = 0; i < 4000; ++i)
        asio::post(World::executor(line), [&ran, name] { ran += name; });
    }
    while (world.step()) {
    }
    EXPECT_EQ(ran.size(), 8000U);
    size_t most = 0, row = 0;
    for (size_t i = 1; i < 4000; ++i) {
      row = ran[i] == ran[i - 1] ? row + 1 : 0;
      most = std::max(most, row);
    }
    return most;
  };
  EXPECT_LT(most_in_a_row(false), 40U);
  EXPECT_GT(most_in_a_row(true), 80U);
}

TEST_F(WorldTest, ALineIsHeldUpBeforeEachPieceOfItsWork) {
  auto& line = world_.make_line("a");
  line.hold_up = [] { return Micros(1s); };
  std::vector<Micros> times;
  for (int i = 0; i < 2; ++i)
    asio::post(World::executor(line), [&] { times.push_back(world_.time()); });
  std::string other;
  asio::post(World::executor(world_.make_line("b")), [&] { other = "ran"; });
  while (times.empty() && world_.step()) {
  }
  EXPECT_EQ(other, "ran");
  run();
  ASSERT_EQ(times.size(), 2U);
  EXPECT_GE(times[0], Micros(1s));
  EXPECT_GE(times[1], times[0] + Micros(1s));
}

TEST_F(WorldTest, TheWorkOfALineKeepsItsOrder) {
  std::vector<int> out;
  auto& line = world_.make_line("a");
  for (int i = 0; i < 10; ++i) asio::post(World::executor(line), [&out, i] { out.push_back(i); });
  run();
  EXPECT_EQ(out.size(), 10U);
  EXPECT_TRUE(std::ranges::is_sorted(out));
}

TEST_F(WorldTest, TheWorkOfAWideLineMayOvertake) {
  std::vector<int> out;
  auto& line = world_.make_line("pool", 3);
  for (int i = 0; i < 100; ++i) asio::post(World::executor(line), [&out, i] { out.push_back(i); });
  run();
  EXPECT_FALSE(std::ranges::is_sorted(out));
  for (size_t i = 0; i < out.size(); ++i) EXPECT_LE(out[i], static_cast<int>(i) + 2);
}

TEST_F(WorldTest, WhatIsDispatchedOnItsOwnLineRunsAtOnce) {
  std::string out;
  auto& line = world_.make_line("a");
  asio::post(World::executor(line), [&] {
    asio::post(World::executor(line), [&] { out += "posted "; });
    asio::dispatch(World::executor(line), [&] { out += "dispatched "; });
    out += "first ";
  });
  run();
  EXPECT_EQ(out, "dispatched first posted ");
}

Task<void> sleep(World& world, Micros time, int number, std::vector<int>& out) {
  co_await sleep_until(world.clock(), world.clock().steady_now() + time);
  out.push_back(number);
}

TEST_F(WorldTest, AMonthPassesAtOnce) {
  std::vector<int> out;
  auto& line = world_.make_line("a");
  {
    TaskGroup group(World::executor(line), world_.clock());
    group.spawn("month", sleep(world_, 24h * 30, 2, out));
    group.spawn("hour", sleep(world_, 1h, 1, out));
    world_.after(2h, "event", [&] { out.push_back(10); });
    run();
  }
  EXPECT_EQ(out, (std::vector{1, 10, 2}));
  EXPECT_GE(world_.time(), 24h * 30);
  EXPECT_LT(world_.steps(), 100U);
}

Task<void> read(Pool& pool, std::string& out) {
  const auto work = [&] { return out + "read "; };
  out = co_await run_blocking(pool, work);
  out += "back";
}

TEST_F(WorldTest, BlockingWorkRunsOnALine) {
  std::string out;
  auto& core = world_.make_line("core");
  Pool pool(World::executor(world_.make_line("pool", 2)));
  TaskGroup group(World::executor(core), world_.clock());
  group.spawn("read", read(pool, out));
  run();
  EXPECT_EQ(out, "read back");
}

// As when a process is killed.
TEST_F(WorldTest, WhatWaitsOnADroppedLineIsDestroyed) {
  std::vector<int> out;
  std::string text;
  LineSet lines(world_);
  auto& core = lines.make("core");
  Pool pool(World::executor(lines.make("pool")));
  TaskGroup group(World::executor(core), world_.clock());
  auto& other = world_.make_line("other");
  TaskGroup living(World::executor(other), world_.clock());
  living.spawn("sleeps", sleep(world_, 1h, 1, out));
  group.spawn("sleeps", sleep(world_, 1h, 2, out));
  world_.step();
  world_.step();
  group.spawn("reads", read(pool, text));
  EXPECT_EQ(group.size(), 2U);
  lines.drop();
  EXPECT_EQ(group.size(), 0U);
  group.spawn("too late", sleep(world_, 1h, 3, out));
  lines.drop();
  EXPECT_EQ(group.size(), 0U);
  run();
  EXPECT_EQ(out, std::vector{1}) << "what is alive goes on";
  EXPECT_EQ(text, "");
}

TEST_F(WorldTest, AWorkerTakesTurns) {
  LineSet lines(world_);
  LineWorkers workers(lines, "p", [] { return Micros(0); });
  std::vector<SteadyTime> turns;
  const auto begin = world_.clock().steady_now();
  const auto worker = workers.make("test", [&]() -> std::optional<Micros> {
    turns.push_back(world_.clock().steady_now());
    if (turns.size() == 1) return Micros(0);
    if (turns.size() == 2) return Micros(1h);
    return std::nullopt;
  });
  run();
  EXPECT_TRUE(turns.empty()) << "not before it is woken";
  worker->wake();
  worker->wake();
  run();
  ASSERT_EQ(turns.size(), 3U);
  EXPECT_LT(turns[1], begin + 1s);
  EXPECT_GE(turns[2], begin + 1h);
  worker->stop();
  EXPECT_EQ(turns.size(), 4U) << "one more turn follows stop()";
  worker->wake();
  run();
  EXPECT_EQ(turns.size(), 4U);
}

TEST_F(WorldTest, AThreadThatIsHeldUpTakesItsTurnLater) {
  LineSet lines(world_);
  LineWorkers workers(lines, "p", [] { return Micros(1h); });
  std::vector<SteadyTime> turns;
  const auto begin = world_.clock().steady_now();
  const auto worker = workers.make("test", [&]() -> std::optional<Micros> {
    turns.push_back(world_.clock().steady_now());
    return std::nullopt;
  });
  worker->wake();
  run();
  ASSERT_EQ(turns.size(), 1U);
  EXPECT_GE(turns[0], begin + 1h);
  worker->stop();
}

TEST_F(WorldTest, AWorkerThatIsWokenTakesNoTurnForItsOldTime) {
  LineSet lines(world_);
  LineWorkers workers(lines, "p", [] { return Micros(0); });
  int turns = 0;
  const auto worker = workers.make("test", [&]() -> std::optional<Micros> {
    return ++turns == 1 ? std::optional(Micros(1h)) : std::nullopt;
  });
  worker->wake();
  world_.step();
  ASSERT_EQ(turns, 1);
  worker->wake();
  run();
  EXPECT_EQ(turns, 2);
  worker->stop();
}

}  // namespace
}  // namespace eventhorn::simulation
