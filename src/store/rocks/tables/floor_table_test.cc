#include "store/rocks/tables/floor_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

SystemTime at(int64_t us) {
  return from_micros(kBaseUs + us);
}

class FloorTableTest : public TableTest {
 protected:
  void put_floor(int64_t us, uint64_t position) {
    write([&](auto& batch) { table.put(at(us), {position}, batch); });
  }

  Position take(int64_t us) {
    Position out;
    write([&](auto& batch) { out = *table.take(at(us), batch); });
    return out;
  }

  FloorTable table{database};
};

TEST_F(FloorTableTest, TellsWhatRetentionDropped) {
  EXPECT_EQ(*table.greatest(), kNoPosition);
  put_floor(1, 10);
  put_floor(2, 20);
  put(Family::kMeta, "e", "other");
  put(Family::kMeta, "i", big_endian(99));
  EXPECT_TRUE(raw(Family::kMeta).contains("f" + big_endian(static_cast<uint64_t>(kBaseUs) + 1)));
  EXPECT_EQ(*table.greatest(), Position{20});
  put(Family::kMeta, "f" + big_endian(3), "short");
  EXPECT_EQ(table.greatest().error().code, Errc::kCorruption);
}

TEST_F(FloorTableTest, GivesTheFloorOfATimeAndForgetsOlderOnes) {
  for (int64_t i = 1; i <= 4; ++i) put_floor(i, static_cast<uint64_t>(10 * i));
  EXPECT_EQ(take(0), kNoPosition);
  EXPECT_EQ(count(Family::kMeta), 4U);
  EXPECT_EQ(take(3), Position{30});
  EXPECT_EQ(count(Family::kMeta), 2U) << "the one that was given stays, it is asked for again";
  EXPECT_EQ(take(3), Position{30});
  EXPECT_EQ(*table.greatest(), Position{40});
}

TEST_F(FloorTableTest, NothingWasDroppedBeforeTheEpoch) {
  put_floor(1, 10);
  EXPECT_EQ(take(-kBaseUs - 1), kNoPosition);
  EXPECT_EQ(count(Family::kMeta), 1U);
}

}  // namespace
}  // namespace eventhorn::store
