#include "store/rocks/tables/mark_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class MarkTableTest : public TableTest {
 protected:
  MarkTable table{database};
};

TEST_F(MarkTableTest, KeepsARowForEachSetOfSlots) {
  write([&](auto& batch) {
    table.put({SlotSet::of_core(0, 2), {7}}, batch);
    table.put({SlotSet::of_core(1, 2), {9}}, batch);
    table.put({SlotSet::of_core(0, 2), {8}}, batch);
  });
  EXPECT_EQ(count(Family::kMeta), 2U);
  EXPECT_TRUE(raw(Family::kMeta).contains("s*" + big_endian(SlotSet::of_core(1, 2).bits)));
  const auto marks = table.load();
  ASSERT_TRUE(marks);
  EXPECT_EQ(marks->least_of(SlotSet::of_core(0, 2)), Position{8});
  EXPECT_EQ(marks->least_of(SlotSet::of_core(1, 2)), Position{9});
}

TEST_F(MarkTableTest, ReplacesAllRowsWhateverTheirVersion) {
  put(Family::kMeta, "s" + big_endian(0), big_endian(5));
  put(Family::kMeta, "s" + big_endian(1), big_endian(4));
  put(Family::kMeta, "r", "other");
  put(Family::kMeta, "t", "other");
  EXPECT_EQ(table.load()->least(), Position{4});
  const SlotMark mark{SlotSet::all(), {4}};
  write([&](auto& batch) { EXPECT_TRUE(table.replace({&mark, 1}, batch)); });
  EXPECT_EQ(count(Family::kMeta), 3U);
  EXPECT_EQ(table.load()->least(), Position{4});
}

TEST_F(MarkTableTest, DamageIsAnError) {
  put(Family::kMeta, "s" + big_endian(0), "short");
  EXPECT_EQ(table.load().error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace eventhorn::store
