#include "store/rocks/tables/try_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class TryTableTest : public TableTest {
 protected:
  void put_try(Position position, int64_t written_us) {
    AttemptRow row;
    row.lane = {5};
    row.position = position;
    row.written = from_micros(written_us);
    write([&](auto& batch) { table.put(row, batch); });
  }

  std::vector<int64_t> times(Position position, size_t max = 9) {
    std::vector<int64_t> out;
    EXPECT_TRUE(table.scan({5}, position, [&](SystemTime written) -> Result<bool> {
      out.push_back(to_micros(written));
      return out.size() < max;
    }));
    return out;
  }

  TryTable table{database};
};

TEST_F(TryTableTest, NamesTheRecordsOfAnEventOldestFirst) {
  put_try({7}, 20);
  put_try({7}, 10);
  put_try({8}, 15);
  EXPECT_EQ(raw(Family::kTries).begin()->first, big_endian(5) + big_endian(7) + big_endian(10));
  EXPECT_EQ(raw(Family::kTries).begin()->second, "");
  EXPECT_EQ(times({7}), (std::vector<int64_t>{10, 20}));
  EXPECT_EQ(times({7}, 1), std::vector<int64_t>{10});
  EXPECT_EQ(times({9}), std::vector<int64_t>{});
}

TEST_F(TryTableTest, RowsExpireByTheTimeOfTheAttempt) {
  put_try({7}, 10);
  put_try({7}, 20);
  floors->attempts_us = 20;
  compact(Family::kTries);
  EXPECT_EQ(times({7}), std::vector<int64_t>{20});
}

}  // namespace
}  // namespace eventhorn::store
