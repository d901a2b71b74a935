#include "store/rocks/tables/exception_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class ExceptionTableTest : public TableTest {
 protected:
  void put_row(LaneId lane, uint64_t position, bool missed = false) {
    write([&](auto& batch) { table.put(exception_row(lane, {position}, missed), batch); });
  }

  std::vector<uint64_t> positions(LaneId lane, uint64_t after = 0, size_t max = 99) {
    std::vector<uint64_t> out;
    EXPECT_TRUE(table.scan(lane, {after}, [&](const ExceptionRow& row, bool) -> Result<bool> {
      out.push_back(row.position.value);
      return out.size() < max;
    }));
    return out;
  }

  ExceptionTable table{database};
};

TEST_F(ExceptionTableTest, KeepsAllOfARow) {
  auto row = exception_row({5}, {7}, true, webhook::Hook::kOpened);
  row.hook_since = Position{3};
  write([&](auto& batch) { table.put(row, batch); });
  EXPECT_TRUE(raw(Family::kMeta).contains("x" + big_endian(5) + big_endian(7)));
  EXPECT_TRUE(table.scan_all([&](const ExceptionRow& got, bool has_hook) -> Result<bool> {
    EXPECT_EQ(got.lane, row.lane);
    EXPECT_EQ(got.position, row.position);
    EXPECT_TRUE(got.missed);
    EXPECT_EQ(got.attempts, row.attempts);
    EXPECT_EQ(got.last_attempt, row.last_attempt);
    EXPECT_EQ(got.delay, row.delay);
    EXPECT_EQ(got.last_status, row.last_status);
    EXPECT_EQ(got.hook, row.hook);
    EXPECT_EQ(got.hook_since, row.hook_since);
    EXPECT_TRUE(has_hook);
    return true;
  }));
}

TEST_F(ExceptionTableTest, ReadsRowsOfVersion2) {
  auto bytes = ExceptionTable::encode(exception_row({5}, {7}, false, webhook::Hook::kOpened));
  ASSERT_EQ(bytes.back(), '\0') << "no position of the hook";
  bytes.pop_back();
  bytes[0] = 2;
  const auto row = ExceptionTable::decode({5}, {7}, bytes);
  ASSERT_TRUE(row) << row.error().message;
  EXPECT_EQ(row->hook, webhook::Hook::kOpened);
  EXPECT_EQ(row->hook_since, std::nullopt);
}

TEST_F(ExceptionTableTest, ScansOneLane) {
  for (const uint64_t i : {3, 1, 2}) put_row({5}, i);
  put_row({4}, 9);
  put_row({6}, 9);
  EXPECT_EQ(positions({5}), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(positions({5}, 1), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(positions({5}, 0, 1), std::vector<uint64_t>{1});
  write([&](auto& batch) { table.remove({5}, {2}, batch); });
  EXPECT_EQ(positions({5}), (std::vector<uint64_t>{1, 3}));
  write([&](auto& batch) { table.remove_all({5}, batch); });
  EXPECT_EQ(positions({5}), std::vector<uint64_t>{});
  EXPECT_EQ(count(Family::kMeta), 2U);
}

TEST_F(ExceptionTableTest, OnlyMissedEventsExpire) {
  put_row({5}, 1, /*missed=*/true);
  put_row({5}, 2, /*missed=*/false);
  put_row({5}, 3, /*missed=*/true);
  put(Family::kMeta, "v0123456789abcdef", "other");
  put(Family::kMeta, "s*" + big_endian(1), "other");
  floors->classes = 3;
  compact(Family::kMeta);
  EXPECT_EQ(positions({5}), (std::vector<uint64_t>{2, 3}));
  EXPECT_EQ(count(Family::kMeta), 4U);
}

}  // namespace
}  // namespace eventhorn::store
