#include "store/rocks/tables/number_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class NumberTableTest : public TableTest {
 protected:
  NumberTable table{database};
};

TEST_F(NumberTableTest, KeepsEachUnderItsKey) {
  EXPECT_EQ(*table.load(NumberTable::kNextPosition), std::nullopt);
  write([&](auto& batch) {
    table.put(NumberTable::kNextPosition, 7, batch);
    table.put(NumberTable::kIndexedThrough, 8, batch);
    table.put(NumberTable::kClassesFloor, 9, batch);
  });
  EXPECT_EQ(raw(Family::kMeta),
            (std::map<std::string, std::string>{
                {"n", big_endian(7)}, {"i", big_endian(8)}, {"c", big_endian(9)}}));
  EXPECT_EQ(*table.load(NumberTable::kIndexedThrough), 8U);
  put(Family::kMeta, "i", "short");
  EXPECT_EQ(table.load(NumberTable::kIndexedThrough).error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace eventhorn::store
