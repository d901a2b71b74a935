// What a reopening finds: a store that cannot be read to its end, another one, or none.
#include "store/writers_test_support.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

using Fault = FaultEnv::Fault;
using Ids = std::vector<std::string>;
using Outcome = AppendQueue::Outcome;
using ReadFault = FaultEnv::ReadFault;

bool is_table(const std::string& path) {
  return path.ends_with(".sst");
}

LaneQuery lane_of(DomainUid domain) {
  LaneQuery q;
  q.domain = domain;
  q.cls = webhook::Class::kNormal;
  q.since.fill(kNoPosition);
  return q;
}

// Waits until a try to reopen has failed.
void await_closed(WriterRig& rig) {
  while (rig.store->read_heads(kNoPosition, 1)) std::this_thread::yield();
}

// C5: an idle store is reopened as well when a write fails that does not come through the queue.
TEST(Reopen, C5AnIdleStoreIsReopened) {
  WriterRig rig;
  rig.create();
  rig.env.fail_one_sync();
  EXPECT_FALSE(rig.store->save_value("k", "v"));
  while (!rig.store->save_value("k", "w")) std::this_thread::yield();
  rig.env.fail_one_sync();
  EXPECT_FALSE(rig.store->expire({}, {}));
  while (!rig.store->expire({}, {})) std::this_thread::yield();
  EXPECT_EQ(**rig.store->load_value("k"), "w");
}

// C14: a store whose end cannot be read is closed as a whole. Readers would take an empty tail for
// "all is in the indexes": lanes would skip events for good, pages lack the newest.
TEST(Reopen, C14AStoreThatIsLoadedInPartIsClosed) {
  for (const ReadFault fault : {ReadFault::kError, ReadFault::kFlip}) {
    WriterRig rig;
    rig.create();
    EXPECT_TRUE(rig.append("a"));
    rig.env.set_read_fault(fault, is_table);
    rig.env.set_fault(Fault::kSyncFails);
    EXPECT_FALSE(rig.append("b"));
    rig.env.set_fault(Fault::kNone);
    await_closed(rig);
    for (int i = 0; i < 100; ++i) {
      const auto lane = rig.store->read_lane(lane_of(rig.domain));
      ASSERT_FALSE(lane) << lane->through.value;
      EXPECT_EQ(lane.error().code, Errc::kUnavailable);
      EXPECT_FALSE(rig.store->count_lane(lane_of(rig.domain)));
      EXPECT_FALSE(rig.store->expire({}, {}));
    }
    rig.env.set_read_fault(ReadFault::kNone);
    EXPECT_EQ(*rig.append_when_good("c"), std::vector{Outcome::kStored});
    EXPECT_EQ(ids_of(rig.store->read_lane(lane_of(rig.domain))->events), (Ids{"a", "b", "c"}));
    EXPECT_EQ(rig.seen(), (Ids{"a", "b", "c"}));
  }
}

// C15: where the store was, a reopening makes no new one: it would delete all domains.
TEST(Reopen, C15AStoreThatIsGoneIsNotMadeAnew) {
  for (const bool empty : {false, true}) {
    WriterRig rig;
    rig.create();
    EXPECT_TRUE(rig.append("a"));
    const auto store = rig.dir.path() / "store";
    const auto aside = rig.dir.path() / "aside";
    rig.env.set_fault(Fault::kDead);
    EXPECT_FALSE(rig.append("b"));
    await_closed(rig);
    fs::rename(store, aside);
    // A reopening that is under way may have looked before, and leaves a lock file behind; it ends
    // before the next one, and only one that finds something goes so far.
    for (int i = 0; i < 2; ++i) {
      (void)rig.store->recover();
      std::error_code ec;
      fs::remove_all(store, ec);
      if (empty) fs::create_directory(store, ec);
    }
    rig.env.set_fault(Fault::kNone);
    const auto refused = rig.store->recover();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("is gone"), std::string::npos)
        << refused.error().message;
    EXPECT_EQ(fs::exists(store) && !fs::is_empty(store), false);
    EXPECT_EQ(rig.directory->all().size(), 1U);
    EXPECT_FALSE(rig.append("c"));
    fs::remove(store);
    fs::rename(aside, store);
    EXPECT_EQ(*rig.append_when_good("d"), std::vector{Outcome::kStored});
    EXPECT_EQ(rig.stored(), rig.seen());
    EXPECT_EQ(rig.directory->all().size(), 1U);
  }
}

// C15: nor is another store, or an older copy of this one, taken for it.
TEST(Reopen, C15AnotherStoreIsNotTaken) {
  for (const bool older : {false, true}) {
    WriterRig rig;
    rig.create();
    const auto store = rig.dir.path() / "store";
    const TempDir other;
    const FakeClock clock;
    if (older) {
      rig.close();
      fs::copy(store, other.path() / "store", fs::copy_options::recursive);
      rig.open();
    } else {
      (void)open_rocks(other, clock);
    }
    EXPECT_TRUE(rig.append("a"));
    rig.env.set_fault(Fault::kDead);
    EXPECT_FALSE(rig.append("b"));
    await_closed(rig);
    fs::rename(store, rig.dir.path() / "aside");
    fs::rename(other.path() / "store", store);
    rig.env.set_fault(Fault::kNone);
    const auto refused = rig.store->recover();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(older ? "older copy" : "another one"), std::string::npos)
        << refused.error().message;
    EXPECT_EQ(rig.store->read_page({}).error().code, Errc::kUnavailable);
    EXPECT_EQ(rig.directory->all().size(), 1U);
    fs::remove_all(store);
    fs::rename(rig.dir.path() / "aside", store);
    EXPECT_EQ(*rig.append_when_good("c"), std::vector{Outcome::kStored});
    EXPECT_EQ(rig.stored(), rig.seen());
  }
}

}  // namespace
}  // namespace eventhorn::store
