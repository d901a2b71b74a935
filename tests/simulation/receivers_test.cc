#include "simulation/receivers.h"

#include "async/task_group.h"
#include "simulation/model.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace eventhorn::simulation {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kUrls = {"http://a.test/", "http://b.test/"};

TEST(Receivers, WithoutChangesAllAreWell) {
  Trace trace;
  World world(1, trace);
  Receivers receivers(world, kUrls, false);
  EXPECT_FALSE(world.step()) << "nothing is to come";
  const auto answer = receivers.ask(kUrls.front());
  EXPECT_EQ(answer.result.status, 200);
  EXPECT_LT(answer.after, 1s);
}

TEST(Receivers, TempersChangeUntilTheCalm) {
  Trace trace;
  World world(1, trace);
  Receivers receivers(world, kUrls, true);
  std::set<int> statuses;
  for (int i = 0; i < 500 && world.step(); ++i)
    statuses.insert(receivers.ask(kUrls.front()).result.status);
  EXPECT_TRUE(statuses.contains(0));
  EXPECT_TRUE(statuses.contains(200));
  EXPECT_TRUE(statuses.contains(410));
  EXPECT_TRUE(statuses.contains(429));
  EXPECT_TRUE(statuses.contains(500));
  receivers.calm();
  while (world.step()) {
  }
  EXPECT_EQ(receivers.ask(kUrls.front()).result.status, 200);
}

Task<void> post(Wire& wire, Deadline deadline, std::optional<delivery::SendReply>& reply) {
  const auto target = wire.open(kUrls.front(), {});
  const delivery::Message message{{}, {}, "event", {}};
  reply = co_await wire.post(*target, message, deadline);
}

TEST(Wire, AnAttemptEndsByItsDeadline) {
  Trace trace;
  World world(1, trace);
  Receivers receivers(world, kUrls, false);
  Model model(world, {});
  Wire wire(world, receivers, model);
  TaskGroup tasks(World::executor(world.make_line("core")), world.clock());
  std::optional<delivery::SendReply> reply;
  const auto now = world.clock().steady_now();
  tasks.spawn("in time", post(wire, now + 1s, reply));
  while (world.step()) {
  }
  EXPECT_EQ(reply->result.status, 200);
  const auto deadline = world.clock().steady_now() + Micros(1);
  tasks.spawn("too late", post(wire, deadline, reply));
  while (world.step()) {
  }
  EXPECT_EQ(reply->result.status, 0);
  EXPECT_EQ(reply->result.kind, webhook::FailureKind::kTimeout);
}

}  // namespace
}  // namespace eventhorn::simulation
