// C9: progress that the versions before slots wrote.
#include "store/rocks/families.h"
#include "store/rocks/tables/mark_table.h"
#include "store/rocks_test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <functional>
#include <string>
#include <vector>

namespace eventhorn::store {
namespace {

// What `change` makes of the family of progress, by RocksDB alone.
void change_raw(const TempDir& dir, const std::function<void(rocksdb::DB&)>& change) {
  const auto families = family_descriptors(nullptr);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const auto s =
      rocksdb::DB::Open({}, (dir.path() / "store").string(), families, &handles, &opened);
  ASSERT_TRUE(s.ok()) << s.ToString();
  const std::unique_ptr<rocksdb::DB> db(opened);
  change(*db);
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
}

std::string bytes(uint8_t last) {
  return std::string(7, '\0') + static_cast<char>(last);
}

size_t marks_of(rocksdb::DB& db) {
  size_t out = 0;
  const std::unique_ptr<rocksdb::Iterator> it(db.NewIterator({}));
  for (it->Seek("s"); it->Valid() && it->key().starts_with("s"); it->Next()) ++out;
  return out;
}

TEST(Progress, C9MarksByCoreOfVersion2AreReadAndReplaced) {
  const TempDir dir;
  const FakeClock clock;
  (void)open_rocks(dir, clock);
  // `s`, the number of the core; the position. Both as big-endian u64.
  change_raw(dir, [](rocksdb::DB& db) {
    for (uint8_t core = 0; core < 3; ++core)
      ASSERT_TRUE(db.Put({}, "s" + bytes(core), bytes(static_cast<uint8_t>(40 + core))).ok());
  });
  auto store = open_rocks(dir, clock);
  auto marks = store->load_progress()->marks;
  SlotMarks expected;
  for (const uint64_t position : {40, 41, 42}) expected.add_core({position});
  for (int i = 0; i < 100; ++i) {
    const auto url = "http://host" + std::to_string(i) + "/";
    for (const uint32_t cores : {1, 2, 3, 4})
      EXPECT_EQ(marks.begin_of(url, cores), expected.begin_of(url, cores));
  }
  EXPECT_FALSE(marks.to_be_rewritten()) << "rows by core go when every slot is beyond them";
  for (const uint32_t core : {0, 1}) {
    Progress progress;
    progress.mark = {SlotSet::of_core(core, 2), {50 + core}};
    const Progress* const one[] = {&progress};
    ASSERT_TRUE(store->save(one));
  }
  marks = store->load_progress()->marks;
  EXPECT_EQ(marks.least(), Position{50});
  EXPECT_TRUE(marks.to_be_rewritten());
  ASSERT_TRUE(store->replace_marks(marks.joined()));
  store.reset();
  change_raw(dir, [](rocksdb::DB& db) { EXPECT_EQ(marks_of(db), 2U); });
}

// A version before slots takes a row that is not of its form for damage, and does not start; it
// would send the whole log again otherwise.
TEST(Progress, C9RowsOfMarksAreNotTakenForThoseByCore) {
  const auto key = MarkTable::key(SlotSet::of_core(0, 64));
  EXPECT_FALSE(MarkTable::is_by_core(key));
  EXPECT_EQ(key[0], 's');
  EXPECT_NE(MarkTable::encode({7}).size(), 8U);
  const auto mark = MarkTable::decode(key, MarkTable::encode({7}));
  ASSERT_TRUE(mark);
  EXPECT_EQ(*mark, (SlotMark{SlotSet::of_core(0, 64), {7}}));
  EXPECT_FALSE(MarkTable::decode(key, bytes(7)));
  EXPECT_FALSE(MarkTable::decode("s+12345678", MarkTable::encode({7})));
  std::string newer = MarkTable::encode({7});
  newer[0] = '\4';
  EXPECT_FALSE(MarkTable::decode(key, newer));
}

}  // namespace
}  // namespace eventhorn::store
