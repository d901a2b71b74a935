// What both disks promise the machine.
#include "simulation/disk.h"

#include "simulation/rocks_disk.h"
#include "simulation/workers.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace eventhorn::simulation {
namespace {

using Mode = DiskFaults::Mode;

class DiskTest : public ::testing::TestWithParam<MakeDisk> {
 protected:
  std::unique_ptr<store::Store> open() {
    auto opened = disk_->open(world_.clock(), Micros(0), workers_);
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }

  static Status commit(store::Store& store, const std::string& id) {
    store::WriteSet set;
    store::NewEvent event;
    event.domain = {1};
    event.event.id = event.event.bytes = id;
    event.event.name = event::Name::kDelivered;
    set.appends.push_back({std::move(event), store::WriteSet::Append::Outcome::kStored, nullptr});
    return store.commit(set);
  }

  /// Not durable before anything else is.
  static Status miss(store::Store& store, Position position) {
    store::Progress progress;
    store::ExceptionRow row;
    row.lane = {1};
    row.position = position;
    row.missed = true;
    row.hook = webhook::Hook::kDelivered;
    progress.exceptions.push_back(row);
    const std::array<const store::Progress*, 1> saves{&progress};
    auto saved = store.save(saves);
    return saved ? Status{} : fail(std::move(saved).error());
  }

  static size_t missed(store::Store& store) {
    const auto rows = store.read_exceptions({1}, kNoPosition, 100, true);
    EXPECT_TRUE(rows);
    return rows ? rows->size() : 0;
  }

  Trace trace_;
  World world_{1, trace_};
  DiskFaults faults_{world_};
  const std::unique_ptr<Disk> disk_ = GetParam()(faults_);
  LineSet lines_{world_};
  LineWorkers workers_{lines_, "p", [] { return Micros(0); }};
  Random random_{1};
};

TEST_P(DiskTest, AKilledProcessIsRefusedAndWhatItWroteIsThere) {
  auto store = open();
  ASSERT_TRUE(commit(*store, "a"));
  ASSERT_TRUE(miss(*store, store->head()));
  disk_->kill();
  EXPECT_FALSE(commit(*store, "b"));
  EXPECT_FALSE(store->read_heads(kNoPosition, 10));
  store.reset();
  store = open();
  EXPECT_EQ(store->read_heads(kNoPosition, 10)->size(), 1U);
  EXPECT_EQ(missed(*store), 1U);
}

TEST_P(DiskTest, APowerCutTakesWhatIsNotSyncedNowAndThenAndNothingElse) {
  size_t lost = 0;
  for (size_t cuts = 1; cuts <= 20; ++cuts) {
    auto store = open();
    ASSERT_TRUE(commit(*store, std::to_string(cuts)));
    ASSERT_TRUE(miss(*store, store->head()));
    const size_t before = missed(*store);
    disk_->power_cut(random_);
    store.reset();
    store = open();
    EXPECT_EQ(store->read_heads(kNoPosition, 100)->size(), cuts);
    EXPECT_GE(missed(*store), before - 1);
    lost += before - missed(*store);
  }
  EXPECT_GT(lost, 0U);
}

TEST_P(DiskTest, WhatFailsIsNotThereUntilARecovery) {
  auto store = open();
  faults_.set(Mode::kFull);
  EXPECT_FALSE(commit(*store, "a"));
  EXPECT_TRUE(store->failed());
  EXPECT_TRUE(store->read_heads(kNoPosition, 10)->empty());
  faults_.set(Mode::kNone);
  EXPECT_FALSE(commit(*store, "a"));
  ASSERT_TRUE(store->recover());
  EXPECT_TRUE(commit(*store, "b"));
  EXPECT_GE(store->read_heads(kNoPosition, 10)->size(), 1U);
}

TEST_P(DiskTest, ReadsFailNowAndThen) {
  auto store = open();
  faults_.set(Mode::kReadsFail);
  size_t failed = 0;
  for (int i = 0; i < 100; ++i) failed += store->read_heads(kNoPosition, 10) ? 0 : 1;
  EXPECT_GT(failed, 0U);
  EXPECT_LT(failed, 100U);
  EXPECT_FALSE(store->failed());
}

INSTANTIATE_TEST_SUITE_P(Memory, DiskTest, ::testing::Values(MakeDisk(make_plain_disk)));
INSTANTIATE_TEST_SUITE_P(Rocks, DiskTest, ::testing::Values(MakeDisk(make_rocks_disk)));

}  // namespace
}  // namespace eventhorn::simulation
