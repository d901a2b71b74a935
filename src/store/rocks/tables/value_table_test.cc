#include "store/rocks/tables/value_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

class ValueTableTest : public TableTest {
 protected:
  ValueTable table{database};
};

TEST_F(ValueTableTest, KeepsValuesByName) {
  write([&](auto& batch) {
    table.put("a/2", "two", batch);
    table.put("a/1", std::string("o\0e", 3), batch);
    table.put("b", "", batch);
  });
  put(Family::kMeta, "w", "other");
  EXPECT_TRUE(raw(Family::kMeta).contains("va/1"));
  EXPECT_EQ(*table.load("a/1"), std::string("o\0e", 3));
  EXPECT_EQ(*table.load("b"), "");
  EXPECT_EQ(*table.load("c"), std::nullopt);
  EXPECT_EQ(*table.load_all("a/"), (Rows{{"a/1", std::string("o\0e", 3)}, {"a/2", "two"}}));
  EXPECT_EQ(table.load_all("")->size(), 3U);
  write([&](auto& batch) { table.remove("a/1", batch); });
  EXPECT_EQ(*table.load("a/1"), std::nullopt);
}

}  // namespace
}  // namespace eventhorn::store
