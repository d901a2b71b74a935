// The embedded engine and its writers on a disk that fails: crashes, power cuts, refused
// writes, damage.
#include "store/writers_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <random>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace eventhorn::store {
namespace {

using Fault = FaultEnv::Fault;
using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;

bool ready(const auto& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

uint64_t offset_in(const std::string& message) {
  return std::stoull(message.substr(message.find("at offset ") + 10));
}

Ids many_ids(int count) {
  Ids out;
  for (int i = 0; i < count; ++i) out.push_back("e" + std::to_string(1000 + i));
  return out;
}

// C1, C3: durable, then visible, then acknowledged.
TEST(StoreFault, C3NothingShowsBeforeItsFsync) {
  WriterRig rig;
  rig.create();
  const Position head = rig.store->head();
  rig.env.hold_syncs();
  auto original = rig.submit("a");
  rig.env.wait_for_held_sync();
  auto duplicate = rig.submit("a");
  EXPECT_FALSE(ready(original));
  EXPECT_FALSE(ready(duplicate)) << "its original may still be lost";
  EXPECT_EQ(rig.store->head(), head);
  EXPECT_EQ(rig.stored(), Ids{});
  EXPECT_EQ(rig.listed(), Ids{});
  EXPECT_EQ(rig.seen(), Ids{});
  LaneQuery lane;
  lane.domain = rig.domain;
  lane.cls = webhook::Class::kNormal;
  lane.since.fill(kNoPosition);
  EXPECT_EQ(rig.store->read_lane(lane)->events.size(), 0U);
  rig.env.release_syncs();
  rig.run();
  EXPECT_EQ(*original.get(), std::vector{Outcome::kStored});
  EXPECT_EQ(*duplicate.get(), std::vector{Outcome::kDuplicate});
  EXPECT_EQ(rig.listed(), Ids{"a"});
  EXPECT_EQ(rig.store->read_lane(lane)->events.size(), 1U);
}

// C3: all that was acknowledged survives, once; what was under way does not.
TEST(StoreFault, C3APowerCutLosesNothingAcknowledged) {
  for (const bool indexed : {false, true}) {
    WriterRig rig;
    rig.create();
    const Ids ids = many_ids(20);
    for (const auto& id : ids) EXPECT_TRUE(rig.append(id));
    if (indexed) EXPECT_TRUE(rig.store->index_now());
    rig.env.hold_syncs();
    auto lost = rig.submit("lost");
    rig.env.wait_for_held_sync();
    rig.cut_power();
    ASSERT_TRUE(ready(lost));
    EXPECT_EQ(lost.get().error().code, Errc::kUnavailable);
    EXPECT_EQ(rig.stored(), ids);
    EXPECT_EQ(rig.listed(), ids);
    EXPECT_EQ(rig.directory->all().size(), 1U);
    for (const auto& id : ids) EXPECT_EQ(*rig.append(id), std::vector{Outcome::kDuplicate});
    EXPECT_EQ(*rig.append("lost"), std::vector{Outcome::kStored});
  }
}

// C4: whatever part of the record under way reached the disk, it is cut off, and the log goes on
// after it.
TEST(StoreFault, C4ATornTailIsCut) {
  for (const uint64_t torn : {1, 6, 7, 8, 30, 60}) {
    SCOPED_TRACE(torn);
    WriterRig rig;
    rig.create();
    EXPECT_TRUE(rig.append("a"));
    EXPECT_TRUE(rig.append("b"));
    rig.env.hold_syncs();
    auto lost = rig.submit("lost");
    rig.env.wait_for_held_sync();
    rig.cut_power(torn);
    EXPECT_EQ(rig.stored(), (Ids{"a", "b"}));
    EXPECT_EQ(*rig.append("c"), std::vector{Outcome::kStored});
    rig.restart();
    EXPECT_EQ(rig.stored(), (Ids{"a", "b", "c"}));
  }
}

TEST(StoreFault, C4AZeroedTailIsCut) {
  WriterRig rig;
  rig.create();
  EXPECT_TRUE(rig.append("a"));
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) + 5000);
  rig.open();
  EXPECT_EQ(rig.stored(), Ids{"a"});
}

// C4: damage before the end is no torn tail. The store refuses to open rather than forget what
// follows.
TEST(StoreFault, C4DamageInTheMiddleOfTheLogRefusesToOpen) {
  for (const int third : {0, 1}) {
    WriterRig rig;
    rig.create();
    for (const auto& id : many_ids(1500)) {
      if (id.back() == '0')
        EXPECT_TRUE(rig.append({rig.event(id), rig.event(id + "b"), rig.event(id + "c")}));
    }
    rig.close();
    const auto path = largest_file(rig.dir, ".log");
    flip_bit(path, std::filesystem::file_size(path) * static_cast<uint64_t>(1 + third) / 3);
    const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kCorruption);
    EXPECT_THAT(opened.error().message, testing::HasSubstr("damaged: " + path.string()));
    const uint64_t flipped =
        std::filesystem::file_size(path) * static_cast<uint64_t>(1 + third) / 3;
    const uint64_t named = offset_in(opened.error().message);
    EXPECT_LE(named, flipped) << "of the damaged record";
    EXPECT_LT(flipped - named, 1000U);
    flip_bit(path, std::filesystem::file_size(path) * static_cast<uint64_t>(1 + third) / 3);
    rig.open();
    EXPECT_EQ(rig.stored().size(), 450U) << "the refusal changed nothing";
  }
}

TEST(StoreFault, C4DamageInATableFailsTheRead) {
  WriterRig rig;
  rig.create();
  for (const auto& id : many_ids(300)) {
    if (id.back() == '0')
      EXPECT_TRUE(rig.append({rig.event(id), rig.event(id + "b"), rig.event(id + "c")}));
  }
  EXPECT_TRUE(rig.store->index_now());
  EXPECT_TRUE(rig.store->compact_now());
  rig.close();
  for (const auto& entry : std::filesystem::directory_iterator(rig.dir.path() / "store")) {
    if (entry.path().extension() == ".sst") flip_bit(entry.path(), 20);
  }
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  if (!opened) {
    EXPECT_EQ(opened.error().code, Errc::kCorruption);
    return;
  }
  const auto heads = (*opened)->read_heads(kNoPosition, SIZE_MAX);
  ASSERT_FALSE(heads);
  EXPECT_EQ(heads.error().code, Errc::kCorruption);
}

// C4: a record whose damaged length reaches beyond the end of the file looks like a torn tail to
// RocksDB 7.8; the records behind it tell that it is none.
TEST(StoreFault, C4ADamagedLengthInTheLastBlockRefusesToOpen) {
  WriterRig rig;
  rig.create();
  for (const auto& id : many_ids(5)) EXPECT_TRUE(rig.append(id));
  rig.close();
  const auto path = largest_file(rig.dir, ".log");
  flip_bit(path, 5);  // high byte of the first record's length, after 4 bytes of checksum
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kCorruption);
  EXPECT_THAT(opened.error().message, testing::HasSubstr(path.string() + " at offset 0"));
  flip_bit(path, 5);
  rig.open();
  EXPECT_EQ(rig.stored().size(), 5U);
}

// C5: an fsync that failed is never taken for a success; whatever it wrote after all is handed over
// once.
TEST(StoreFault, C5AFailedFsyncAcknowledgesNothingAndHealsInProcess) {
  WriterRig rig;
  rig.create();
  rig.env.hold_syncs();
  auto failed = rig.submit("a");
  rig.env.wait_for_held_sync();
  rig.env.set_fault(Fault::kSyncFails);
  rig.env.release_syncs();
  rig.run();
  const auto answer = failed.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kUnavailable);
  rig.env.set_fault(Fault::kNone);
  EXPECT_EQ(*rig.append_when_good("b"), std::vector{Outcome::kStored});
  EXPECT_TRUE(rig.writers->health.status());
  EXPECT_EQ(*rig.append("a"), std::vector{Outcome::kDuplicate}) << "its bytes were in the file";
  EXPECT_EQ(rig.seen(), (Ids{"a", "b"}));
  rig.cut_power();
  EXPECT_EQ(rig.stored(), (Ids{"a", "b"}));
  EXPECT_EQ(rig.listed(), (Ids{"a", "b"}));
}

// C5: each event that a refusing disk took is seen once, in order; each that it refused is not
// seen.
TEST(StoreFault, C5SubscribersSeeExactlyWhatIsStored) {
  for (const Fault fault : {Fault::kSyncFails, Fault::kNoSpace}) {
    WriterRig rig;
    rig.create();
    std::set<std::string> acknowledged;
    for (int round = 0; round < 5; ++round) {
      const std::string id = "r" + std::to_string(round);
      EXPECT_TRUE(rig.append_when_good(id + "-before"));
      acknowledged.insert(id + "-before");
      rig.env.set_fault(fault);
      for (const char* suffix : {"-1", "-2", "-3"}) {
        const auto answer = rig.append(id + suffix);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, Errc::kUnavailable);
      }
      rig.env.set_fault(Fault::kNone);
    }
    EXPECT_TRUE(rig.append_when_good("end"));
    acknowledged.insert("end");
    const auto seen = rig.seen();
    EXPECT_EQ(seen, rig.stored());
    const std::set<std::string> unique(seen.begin(), seen.end());
    EXPECT_EQ(unique.size(), seen.size());
    EXPECT_TRUE(
        std::includes(unique.begin(), unique.end(), acknowledged.begin(), acknowledged.end()));
    rig.cut_power();
    EXPECT_EQ(rig.stored(), seen);
  }
}

// C5: an edit whose fsync failed: the directory ends up as the store is.
TEST(StoreFault, C5AFailedEditShowsOnceItIsFoundDurable) {
  WriterRig rig;
  rig.create("a.test");
  rig.env.set_fault(Fault::kSyncFails);
  const auto failed = rig.edit(
      "a.test", [](const DomainPtr&, Position) -> Result<DomainPtr> { return DomainPtr(); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kUnavailable);
  rig.env.set_fault(Fault::kNone);
  while (!rig.writers->health.status()) std::this_thread::yield();
  EXPECT_EQ(rig.directory->all().size(), rig.store->load_domains()->size());
  EXPECT_EQ(rig.directory->find("a.test"), nullptr);
  EXPECT_FALSE(rig.directory->has(rig.domain));
  const auto batches = rig.batches();
  ASSERT_EQ(batches.back()->changes.size(), 1U);
  EXPECT_EQ(batches.back()->changes[0].after, nullptr);
}

// C5: progress is kept and written when the disk takes it again.
TEST(StoreFault, C5ProgressIsKeptUntilItIsWritten) {
  WriterRig rig;
  std::atomic<int> calls{0};
  std::promise<void> saved;
  rig.env.set_fault(Fault::kNoSpace);
  Progress p;
  p.lanes.push_back({{5}, {1}, {}});
  rig.writers->progress.save(std::move(p), [&] {
    if (++calls == 1) saved.set_value();
  });
  while (rig.writers->health.status()) std::this_thread::yield();
  EXPECT_EQ(calls, 0);
  rig.env.set_fault(Fault::kNone);
  saved.get_future().wait();
  EXPECT_EQ(rig.store->load_progress()->lanes.size(), 1U);
  rig.writers->stop();
  EXPECT_EQ(calls, 1);
}

// C5: progress that was written but not synced, and is gone after the store was reopened, is
// written again, before anything newer.
TEST(StoreFault, C5ProgressThatReopeningForgotIsWrittenAgain) {
  auto options = WriterRig::quick();
  options.durable_after = std::chrono::hours(1);
  WriterRig rig(options);
  rig.create();
  EXPECT_TRUE(rig.append("a"));
  rig.save_lane(5, 10);
  rig.save_lane(5, 20);
  EXPECT_EQ(rig.store->load_progress()->lanes.size(), 1U);
  rig.env.lose_unsynced_at_open();
  rig.env.set_fault(Fault::kSyncFails);
  EXPECT_FALSE(rig.append("b"));
  rig.env.set_fault(Fault::kNone);
  EXPECT_EQ(*rig.append_when_good("c"), std::vector{Outcome::kStored});
  EXPECT_EQ(rig.stored(), (Ids{"a", "c"})) << "what was not synced was lost";
  rig.save_lane(6, 30);
  const auto loaded = rig.store->load_progress();
  ASSERT_EQ(loaded->lanes.size(), 2U);
  EXPECT_EQ(loaded->lanes[0].lane, LaneId{5});
  EXPECT_EQ(loaded->lanes[0].segments[0].acked_through, Position{20});
}

// C5: a failed fsync may leave a hole in the log, with progress behind it that was written
// meanwhile. In what was not acknowledged it is cut off; elsewhere it is damage, and where that
// cannot be told.
TEST(StoreFault, C5AHoleThatAFailedFsyncLeftIsCutOff) {
  enum class Hole { kUnsynced, kAcknowledged, kSomewhere };
  for (const Hole hole : {Hole::kUnsynced, Hole::kAcknowledged, Hole::kSomewhere}) {
    WriterRig rig;
    rig.create();
    const auto log = largest_file(rig.dir, ".log");
    const auto before_a = std::filesystem::file_size(log);
    rig.env.hide_sizes(hole == Hole::kSomewhere);
    EXPECT_TRUE(rig.append("a"));
    rig.env.hide_sizes(false);
    const auto before_b = std::filesystem::file_size(log);
    rig.env.hold_syncs();
    auto b = rig.submit("b");
    rig.env.wait_for_held_sync();
    const auto behind_b = std::filesystem::file_size(log);
    rig.save_lane(5);
    EXPECT_GT(std::filesystem::file_size(log), behind_b);
    const auto from = hole == Hole::kAcknowledged ? before_a : before_b;
    std::fstream(log, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(static_cast<std::streamoff>(from))
        .write(std::string(behind_b - from, 0).data(),
               static_cast<std::streamsize>(behind_b - from));
    rig.env.set_fault(Fault::kSyncFails);
    rig.env.release_syncs();
    rig.run();
    EXPECT_FALSE(b.get());
    rig.env.set_fault(Fault::kNone);
    if (hole != Hole::kUnsynced) {
      EXPECT_EQ(rig.store->recover().error().code, Errc::kCorruption);
      continue;
    }
    EXPECT_EQ(*rig.append_when_good("c"), std::vector{Outcome::kStored});
    EXPECT_EQ(rig.stored(), (Ids{"a", "c"}));
    rig.save_lane(6);
    EXPECT_EQ(rig.store->load_progress()->lanes.size(), 2U) << "progress is written again";
    rig.restart();
    EXPECT_EQ(rig.stored(), (Ids{"a", "c"}));
  }
}

// C5: nor does a kill between the failed fsync and the reopening make damage of it.
TEST(StoreFault, C5AHoleThatAFailedFsyncLeftIsCutOffAfterAKill) {
  for (const bool acknowledged : {false, true}) {
    WriterRig rig;
    rig.create();
    const auto log = largest_file(rig.dir, ".log");
    const auto before_a = std::filesystem::file_size(log);
    EXPECT_TRUE(rig.append("a"));
    rig.writers.reset();  // so that nobody reopens the store
    const auto behind_a = std::filesystem::file_size(log);
    Progress progress;
    progress.ended_lanes = {LaneId{5}};
    EXPECT_TRUE(rig.store->save(std::array{&std::as_const(progress)}));
    const auto behind_lane = std::filesystem::file_size(log);
    EXPECT_GT(behind_lane, behind_a);
    rig.env.set_fault(Fault::kSyncFails);
    EXPECT_FALSE(rig.store->save_value("k", "v"));
    rig.env.set_fault(Fault::kNone);
    EXPECT_GT(std::filesystem::file_size(log), behind_lane);
    rig.close();
    const auto from = acknowledged ? before_a : behind_a;
    std::fstream(log, std::ios::in | std::ios::out | std::ios::binary)
        .seekp(static_cast<std::streamoff>(from))
        .write(std::string(behind_lane - from, 0).data(),
               static_cast<std::streamsize>(behind_lane - from));
    if (acknowledged) {
      const auto opened = RocksStore::open(rocks_options(rig.dir, &rig.env), rig.clock);
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error().code, Errc::kCorruption);
      continue;
    }
    rig.open();
    EXPECT_EQ(rig.stored(), Ids{"a"});
    EXPECT_EQ(*rig.append("c"), std::vector{Outcome::kStored});
    rig.restart();
    EXPECT_EQ(rig.stored(), (Ids{"a", "c"}));
    EXPECT_FALSE(std::filesystem::exists(rig.dir.path() / "failed_sync"));
  }
}

// C5: while the store cannot even be reopened, readers get an error and nothing crashes.
TEST(StoreFault, C5ReadersGetAnErrorWhileTheStoreCannotReopen) {
  WriterRig rig;
  rig.create();
  EXPECT_TRUE(rig.append("a"));
  rig.env.set_fault(Fault::kDead);
  EXPECT_FALSE(rig.append("b"));
  while (rig.store->read_heads(kNoPosition, 1)) std::this_thread::yield();
  EXPECT_EQ(rig.store->read_heads(kNoPosition, 1).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->read_page({}).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->read_lane({}).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->read_events({{1}}).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->load_domains().error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->load_progress().error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->load_value("k").error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->save_value("k", "v").error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->remove_value("k").error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->load_values("k").error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->count_lane({}).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->position_before({}).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->read_exceptions({}, {}, 1, true).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->read_attempts({}, {}, {}, 1).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->last_attempts({}, {}, 1).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->flush().error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->expire({}, {}).error().code, Errc::kUnavailable);
  EXPECT_EQ(rig.store->index_now().error().code, Errc::kUnavailable);
  rig.env.set_fault(Fault::kNone);
  EXPECT_EQ(*rig.append_when_good("c"), std::vector{Outcome::kStored});
  EXPECT_EQ(rig.seen(), rig.stored());
}

// C5: the kernel tells of a failed fsync once; the next one seems to succeed.
TEST(StoreFault, C5NoSyncSucceedsAfterOneThatFailed) {
  const FakeClock clock;
  FaultEnv env;
  const TempDir dir;
  const auto store = open_rocks(dir, clock, &env);
  EXPECT_TRUE(store->save_value("k", "1"));
  env.fail_one_sync();
  WriteSet set;
  set.appends.push_back({make_event("a"), Outcome::kStored, nullptr});
  EXPECT_FALSE(store->commit(set));
  EXPECT_FALSE(store->flush());
  EXPECT_FALSE(store->save_value("k", "2"));
  EXPECT_TRUE(store->recover());
  EXPECT_TRUE(store->flush());
  env.fail_one_sync();
  EXPECT_FALSE(store->save_value("k", "3"));
  EXPECT_FALSE(store->flush());
}

// C5: an append and an edit whose fsync failed are handed over in the order of the log.
TEST(StoreFault, C5AnAppendAndAnEditThatFailedTogetherKeepTheirOrder) {
  WriterRig rig;
  rig.create();
  rig.env.hold_syncs();
  auto held = rig.submit("held");
  rig.env.wait_for_held_sync();
  auto event = rig.submit("event");
  auto change = rig.submit_edit(
      "a.test", [](const DomainPtr&, Position) -> Result<DomainPtr> { return DomainPtr(); });
  rig.env.fail_one_sync(1);
  rig.env.release_syncs();
  rig.run();
  EXPECT_TRUE(held.get());
  EXPECT_FALSE(event.get());
  EXPECT_FALSE(change.get());
  while (!rig.writers->health.status()) std::this_thread::yield();
  EXPECT_EQ(rig.seen(), (Ids{"held", "event"}));
  const auto batches = rig.batches();
  ASSERT_EQ(batches.back()->changes.size(), 1U);
  EXPECT_GE(batches.back()->changes[0].at, batches[batches.size() - 2]->head);
  EXPECT_EQ(rig.directory->find("a.test"), nullptr);
}

TEST(StoreFault, C8ASecondOpenIsRefused) {
  WriterRig rig;
  const auto second = RocksStore::open(rocks_options(rig.dir, &rig.env), rig.clock);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kConflict);
  EXPECT_NE(second.error().message.find(rig.dir.path().string()), std::string::npos);
}

constexpr const char* kChildDirectory = "EVENTHORN_TEST_CRASH_DIRECTORY";
constexpr int kChildPipe = 3;

// Not a test of its own: the process that C1KillLosesNothingAcknowledged kills.
TEST(StoreFault, DISABLED_Child) {
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
  execl("/proc/self/exe", "store_test", "--gtest_filter=StoreFault.DISABLED_Child",
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
TEST(StoreFault, C1KillLosesNothingAcknowledged) {
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
