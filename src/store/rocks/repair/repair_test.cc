// C4: stores with damaged or missing tables, and what is made of them.
#include "store/rocks/repair/repair_test_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::SizeIs;

TEST_F(RepairTest, C4ASoundStoreIsLeftAlone) {
  const auto all = add_events("a", 50);
  settle();
  EXPECT_THAT(*find_damage(rig.dir.path()), IsEmpty());
  EXPECT_THAT(repaired().damage, IsEmpty());
  for (const auto& entry : fs::directory_iterator(rig.dir.path()))
    EXPECT_THAT(entry.path().filename().string(), Not(HasSubstr("quarantine")));
  rig.open();
  EXPECT_EQ(rig.stored(), all);
}

TEST_F(RepairTest, C4WhatADamagedTableHeldIsListedById) {
  const auto all = add_events("a", 400);
  settle();
  const auto path = table_of("log");
  flip_bit(path, fs::file_size(path) / 2);
  const auto report = repaired();
  ASSERT_THAT(report.damage, SizeIs(1));
  EXPECT_THAT(report.damage[0], HasSubstr(path.string()));
  const auto lost = lost_ids(report);
  EXPECT_EQ(lost.size(), report.events_lost);
  EXPECT_GT(lost.size(), 0U);
  EXPECT_LT(lost.size(), 100U) << "one block of 32 KiB";
  EXPECT_EQ(report.events_kept + report.events_lost, all.size());
  EXPECT_THAT(lost_lines(report)[0], HasSubstr(R"("domain":"a.test")"));
  expect_whole(all, without(all, lost));
}

TEST_F(RepairTest, C4AMissingTableRefusesToOpenAndIsListedById) {
  auto all = add_events("a", 200);
  EXPECT_TRUE(rig.store->index_now());
  EXPECT_TRUE(rig.store->compact_now());
  settle();
  const auto path = table_of("log");
  rig.open();
  const auto more = add_events("b", 200);
  all.insert(all.end(), more.begin(), more.end());
  EXPECT_TRUE(rig.store->index_now());
  rig.close();
  fs::remove(path);
  const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(path.stem().string()));
  const auto report = repaired();
  EXPECT_EQ(report.events_lost, 200U);
  EXPECT_EQ(report.events_kept, 200U);
  const auto kept = without(all, lost_ids(report));
  EXPECT_EQ(kept, more);
  expect_whole(all, kept);
}

// Tables of the first level overlap: one that cannot be opened must not take the others with it.
TEST_F(RepairTest, C4AnUnreadableTableCostsOnlyItself) {
  Ids all;
  fs::path damaged;
  for (const char* prefix : {"a", "b", "c"}) {
    const auto ids = add_events(prefix, 100);
    all.insert(all.end(), ids.begin(), ids.end());
    rig.restart();  // each life ends in a table
    if (std::string(prefix) == "b") damaged = table_of_open_store("log");
  }
  const auto more = add_events("d", 50);  // only in the log
  all.insert(all.end(), more.begin(), more.end());
  rig.close();
  fs::resize_file(damaged, fs::file_size(damaged) - 20);
  const auto report = repaired();
  EXPECT_EQ(report.events_kept, 250U);
  const auto kept = rig_stored();
  EXPECT_THAT(kept, IsSupersetOf(more));
  EXPECT_EQ(std::count_if(kept.begin(), kept.end(), [](const auto& id) { return id[0] == 'b'; }),
            0);
  EXPECT_EQ(report.positions_lost + report.events_lost >= 100U, true);
}

TEST_F(RepairTest, C4ALostListOfFilesIsMadeAnew) {
  for (const char* name : {"CURRENT", "MANIFEST"}) {
    SCOPED_TRACE(name);
    auto all = add_events(name, 100);
    settle();
    rig.open();
    const auto more = add_events(std::string(name) + "x", 20);  // only in the log
    rig.close();
    Ids gone;
    for (const auto& entry : fs::directory_iterator(rig.dir.path() / "store"))
      if (entry.path().filename().string().starts_with(name)) gone.push_back(entry.path());
    for (const auto& file : gone) fs::remove(file);
    for (int start = 0; start < 2; ++start) {
      const auto opened = RocksStore::open(rocks_options(rig.dir), rig.clock);
      ASSERT_FALSE(opened) << "RocksDB would make a new store of it, and remove the tables";
      EXPECT_THAT(opened.error().message, HasSubstr(name));
    }
    const auto report = repaired();
    EXPECT_GT(report.damage.size(), 0U);
    EXPECT_EQ(report.events_lost, 0U);
    EXPECT_EQ(report.rows_lost, 0U);
    rig.open();
    EXPECT_THAT(rig.stored(), IsSupersetOf(all));
    EXPECT_THAT(rig.stored(), IsSupersetOf(more));
    EXPECT_EQ(rig.listed().size(), rig.stored().size());
  }
}

TEST_F(RepairTest, C4IndexesAreMadeOfTheLog) {
  const auto all = add_events("a", 400);
  settle();
  for (const char* family : {"ids", "times", "classes"}) {
    const auto path = table_of(family);
    for (uint64_t at = 10; at < fs::file_size(path) / 2; at += 1000) flip_bit(path, at);
  }
  const auto report = repaired();
  EXPECT_THAT(report.damage, SizeIs(3));
  EXPECT_EQ(report.events_lost, 0U);
  expect_whole(all, all);
}

TEST_F(RepairTest, C8AStoreInUseIsNotTouched) {
  EXPECT_EQ(find_damage(rig.dir.path()).error().code, Errc::kConflict);
  EXPECT_EQ(repair(rig.dir.path(), rig.clock).error().code, Errc::kConflict);
}

TEST_F(RepairTest, ADirectoryWithoutAStoreIsSaidToBeSo) {
  TempDir empty;
  EXPECT_EQ(find_damage(empty.path()).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace eventhorn::store
