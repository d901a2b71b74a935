// The embedded engine and its writers on a disk that refuses: writes and syncs that fail.
#include "store/writers_test_support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>

namespace eventhorn::store {
namespace {

using Fault = FaultEnv::Fault;
using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;

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

}  // namespace
}  // namespace eventhorn::store
