#include "store/memory/memory_disk.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace eventhorn::store {
namespace {

using Values = std::map<std::string, std::string>;

MemoryWrite put(MemoryDisk& disk, const std::string& key, const std::string& value) {
  MemoryWrite out;
  out.put(disk.tables().values, key, value);
  return out;
}

TEST(MemoryWrite, IsShownAndTakenBack) {
  Values table = {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}};
  const Values before = table;
  int field = 1;
  MemoryWrite write;
  EXPECT_TRUE(write.empty());
  write.put(table, "a", "one");
  write.put(table, "b2", "new");
  write.put(table, "b2", "newer");
  write.erase_range(table, "b", "c");
  write.put(table, "c", "again");
  write.erase(table, "d");
  write.erase(table, "none");
  write.set(field, 2);
  EXPECT_FALSE(write.empty());
  const Values after = {{"a", "one"}, {"c", "again"}};
  for (int round = 0; round < 3; ++round) {
    write.show();
    write.show();
    EXPECT_EQ(table, after);
    EXPECT_EQ(field, 2);
    write.take_back();
    write.take_back();
    EXPECT_EQ(table, before);
    EXPECT_EQ(field, 1);
  }
}

TEST(MemoryDisk, APowerCutLeavesABeginningOfWhatWasNotSynced) {
  for (size_t left = 0; left < 6; ++left) {
    MemoryDisk disk;
    const auto owner = disk.take();
    disk.write(put(disk, "synced", "1"));
    disk.settle(1);
    for (const char* value : {"1", "2", "3"}) {
      disk.write(put(disk, "key", value));
      disk.show();
    }
    disk.write(put(disk, "key", "not shown"));
    EXPECT_EQ(disk.tables().values["key"], "3");
    EXPECT_EQ(disk.unsynced(), 4U);
    disk.check_invariants();
    disk.power_cut(left);
    EXPECT_FALSE(disk.belongs_to(owner));
    EXPECT_EQ(disk.unsynced(), 0U);
    Values want = {{"synced", "1"}};
    if (left > 0) want["key"] = left > 3 ? "not shown" : std::to_string(left);
    EXPECT_EQ(disk.tables().values, want);
    disk.check_invariants();
  }
}

TEST(MemoryDisk, AKillKeepsAllThatWasWritten) {
  MemoryDisk disk;
  const auto owner = disk.take();
  EXPECT_TRUE(disk.in_use());
  disk.write(put(disk, "key", "1"));
  disk.show();
  disk.kill();
  EXPECT_FALSE(disk.in_use());
  const auto next = disk.take();
  EXPECT_FALSE(disk.belongs_to(owner));
  disk.release(owner);
  EXPECT_TRUE(disk.belongs_to(next)) << "the dead process has nothing to give back";
  EXPECT_EQ(disk.unsynced(), 1U);
  EXPECT_EQ(disk.tables().values["key"], "1");
}

}  // namespace
}  // namespace eventhorn::store
