// A process that is killed, and two processes with one store.
#include "store/writers_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace eventhorn::store {
namespace {

using Outcome = AppendQueue::Outcome;

TEST(Kill, C8ASecondOpenIsRefused) {
  WriterRig rig;
  const auto second = RocksStore::open(rocks_options(rig.dir, &rig.env), rig.clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kConflict);
  EXPECT_NE(second.error().message.find(rig.dir.path().string()), std::string::npos);
}

constexpr const char* kChildDirectory = "EVENTHORN_TEST_CRASH_DIRECTORY";
constexpr int kChildPipe = 3;

// Not a test of its own: the process that C1KillLosesNothingAcknowledged kills.
TEST(Kill, DISABLED_Child) {
  const char* directory = std::getenv(kChildDirectory);
  if (directory == nullptr) GTEST_SKIP() << "runs only as a child of another test";
  SystemClock clock;
  RocksOptions options;
  options.directory = directory;
  options.index_idle = std::chrono::milliseconds(1);
  options.ballast_bytes = 0;
  auto store = RocksStore::open(options, clock);
  ASSERT_TRUE(store);
  const uint64_t base = (*store)->head().value;
  for (uint64_t i = 0;; ++i) {
    WriteSet set;
    std::string ids;
    for (int k = 0; k < 3; ++k) {
      const std::string id =
          std::to_string(base) + "-" + std::to_string(i) + "-" + std::to_string(k);
      set.appends.push_back({make_event(id), Outcome::kStored, nullptr});
      ids += id + "\n";
    }
    if (!(*store)->commit(set)) _exit(1);
    if (write(kChildPipe, ids.data(), ids.size()) != static_cast<ssize_t>(ids.size())) _exit(1);
  }
}

pid_t start_child(const TempDir& dir, int pipe_end) {
  const pid_t child = fork();
  if (child != 0) return child;
  dup2(pipe_end, kChildPipe);
  setenv(kChildDirectory, dir.path().c_str(), 1);
  execl("/proc/self/exe", "store_test", "--gtest_filter=Kill.DISABLED_Child",
        "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
  _exit(127);
}

// Reads whole lines, the first of which begins with `pending`, until the pipe ends; kills the child
// once it has seen `kill_after` of them.
void gather(int from, pid_t child, size_t kill_after, std::string pending,
            std::set<std::string>& acknowledged) {
  char buffer[4096];
  size_t seen = 0;
  for (ssize_t n = 0; (n = read(from, buffer, sizeof buffer)) > 0;) {
    pending.append(buffer, static_cast<size_t>(n));
    for (size_t end = 0; (end = pending.find('\n')) != std::string::npos;
         pending.erase(0, end + 1)) {
      acknowledged.insert(pending.substr(0, end));
      if (++seen == kill_after) kill(child, SIGKILL);
    }
  }
  EXPECT_GE(seen, kill_after) << "the child ended by itself";
}

// C1: kill -9 while appends and the indexer run; every acknowledged event is in the log and on the
// pages, once. C8.
TEST(Kill, C1KillLosesNothingAcknowledged) {
  TempDir dir;
  SystemClock clock;
  std::mt19937 random(20260311);
  std::set<std::string> acknowledged;
  for (int round = 0; round < 10; ++round) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = start_child(dir, ends[1]);
    ASSERT_GT(child, 0);
    close(ends[1]);
    char first = 0;
    ASSERT_EQ(read(ends[0], &first, 1), 1);
    if (round == 0) {
      const auto second = RocksStore::open(rocks_options(dir), clock);
      ASSERT_FALSE(second) << "C8: the child has it open";
      EXPECT_EQ(second.error().code, Errc::kConflict);
    }
    gather(ends[0], child, 1 + random() % 600, std::string(1, first), acknowledged);
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));

    const auto store = open_rocks(dir, clock);
    std::vector<Position> positions;
    const auto heads = store->read_heads(kNoPosition, SIZE_MAX);
    for (const auto& h : *heads) positions.push_back(h.position);
    auto stored = ids_of(*store->read_events(positions));
    std::sort(stored.begin(), stored.end());
    EXPECT_EQ(std::adjacent_find(stored.begin(), stored.end()), stored.end());
    EXPECT_TRUE(
        std::includes(stored.begin(), stored.end(), acknowledged.begin(), acknowledged.end()));
    PageQuery q;
    q.domain = kDomain;
    q.last_us = INT64_MAX;
    q.max_scan = SIZE_MAX;
    q.max_events = SIZE_MAX;
    EXPECT_EQ(ids_of(store->read_page(q)->events), stored);
  }
}

}  // namespace
}  // namespace eventhorn::store
