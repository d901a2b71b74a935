// When the rows of the indexes go that retention dropped.
#include "store/rocks/families.h"
#include "store/writers_test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table_properties.h>

#include <filesystem>
#include <string>

namespace eventhorn::store {
namespace {

// Rows in the tables of a family.
uint64_t rows_in_tables(const TempDir& dir, Family family) {
  uint64_t out = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() / "store")) {
    rocksdb::SstFileReader reader({});
    // A table may go while it is looked at.
    if (entry.path().extension() != ".sst" || !reader.Open(entry.path().string()).ok()) continue;
    const auto properties = reader.GetTableProperties();
    if (properties->column_family_name == kFamilyNames[static_cast<size_t>(family)])
      out += properties->num_entries;
  }
  return out;
}

// Tables of which nothing new overlaps are not compacted by themselves.
TEST(Retention, RowsOfDroppedEventsGoOnceTheirTablesAreOld) {
  WriterRig rig(WriterRig::quick(),
                [](RocksOptions& options) { options.rewrite_after = std::chrono::hours(1); });
  rig.create();
  std::vector<NewEvent> events;
  for (int i = 0; i < 100; ++i) events.push_back(rig.event("e" + std::to_string(100 + i)));
  EXPECT_TRUE(rig.append(std::move(events)));
  EXPECT_TRUE(rig.append("later"));
  const auto later = rig.batches().back()->events.front();
  EXPECT_TRUE(rig.store->index_now());
  rig.restart();
  EXPECT_EQ(rows_in_tables(rig.dir, Family::kTimes), 101U);
  const auto cut = from_micros(to_micros(later->committed));  // as in the log
  EXPECT_EQ(*rig.store->expire(cut, {}), later->position.value);
  rig.env.advance(std::chrono::hours(2));
  EXPECT_TRUE(rig.append("zz"));
  EXPECT_TRUE(rig.store->index_now());
  rig.restart();
  while (rows_in_tables(rig.dir, Family::kTimes) > 2) std::this_thread::yield();
  EXPECT_EQ(rig.listed(), (std::vector<std::string>{"later", "zz"}));
}

}  // namespace
}  // namespace eventhorn::store
