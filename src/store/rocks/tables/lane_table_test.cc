#include "store/rocks/tables/lane_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class LaneTableTest : public TableTest {
 protected:
  std::vector<LaneRow> all() {
    std::vector<LaneRow> out;
    EXPECT_TRUE(table.scan([&](LaneRow row) { out.push_back(std::move(row)); }));
    return out;
  }

  LaneTable table{database};
};

TEST_F(LaneTableTest, KeepsAllOfALane) {
  SegmentRow segment{webhook::Class::kBulk, {3}, Position{20}, {9}, {{{11}, {12}}}};
  segment.source = SegmentRow::Source::kMissed;
  segment.replay = 77;
  segment.paused = true;
  const LaneRow row{{5}, {64}, {segment, {webhook::Class::kUrgent, {20}, std::nullopt, {21}, {}}}};
  write([&](auto& batch) { table.put(row, batch); });
  EXPECT_TRUE(raw(Family::kMeta).contains("l" + big_endian(5)));
  const auto got = all();
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0].lane, row.lane);
  EXPECT_EQ(got[0].domain, row.domain);
  EXPECT_EQ(got[0].segments, row.segments);
}

TEST_F(LaneTableTest, ScansLanesAndNothingElse) {
  write([&](auto& batch) {
    table.put({{6}, {64}, {}}, batch);
    table.put({{5}, {64}, {}}, batch);
    table.remove({7}, batch);
  });
  put(Family::kMeta, "k", "other");
  put(Family::kMeta, "n", "other");
  const auto got = all();
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].lane, LaneId{5});
  write([&](auto& batch) { table.remove({5}, batch); });
  EXPECT_EQ(all().size(), 1U);
}

}  // namespace
}  // namespace eventhorn::store
