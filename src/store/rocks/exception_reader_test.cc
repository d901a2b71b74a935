#include "store/rocks/exception_reader.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using ExceptionReaderTest = TableTest;

// C9: the hook of a row of version 1 is that of its event.
TEST_F(ExceptionReaderTest, C9ExceptionsOfVersion1HaveTheHookOfTheirEvent) {
  const ExceptionTable table(database);
  const LogTable log(database);
  const ExceptionReader reader(table, log);
  const auto version1 = [](Position position) {
    auto row =
        ExceptionTable::encode(exception_row({5}, position, true, webhook::Hook::kDelivered));
    row[0] = 1;
    row.resize(row.size() - 2);  // what later versions added
    return row;
  };
  write([&](auto& batch) {
    EXPECT_TRUE(log.put({1}, make_event("a", kBaseUs, event::Name::kOpened), {}, batch));
    EXPECT_TRUE(log.put({3}, make_event("b", kBaseUs, event::Name::kOpened), {}, batch));
    table.put(exception_row({5}, {3}, true, webhook::Hook::kClicked), batch);
  });
  put(Family::kMeta, ExceptionTable::key({5}, {1}), version1({1}));
  put(Family::kMeta, ExceptionTable::key({5}, {2}), version1({2}));
  std::vector<webhook::Hook> hooks;
  const auto take = [&](const ExceptionRow& row) -> Result<bool> {
    hooks.push_back(row.hook);
    return true;
  };
  EXPECT_TRUE(reader.scan({5}, kNoPosition, take));
  ASSERT_EQ(hooks.size(), 3U);
  EXPECT_EQ(hooks[0], webhook::Hook::kOpened);
  EXPECT_EQ(hooks[1], webhook::Hook{}) << "its event is gone";
  EXPECT_EQ(hooks[2], webhook::Hook::kClicked) << "rows of today have their own";
  hooks.clear();
  EXPECT_TRUE(reader.scan_all(take));
  EXPECT_EQ(hooks.size(), 3U);
}

}  // namespace
}  // namespace eventhorn::store
