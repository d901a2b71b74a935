#include "store/rocks/progress_rows.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class ProgressRowsTest : public TableTest {
 protected:
  LoadedProgress put_and_load(const Progress& progress) {
    write([&](auto& batch) { rows.put(progress, batch); });
    return expect(rows.load());
  }

  Tables tables{database};
  ProgressRows rows{tables};
};

TEST_F(ProgressRowsTest, KeepsWhatASaveSays) {
  Progress progress;
  progress.mark = SlotMark{SlotSet::all(), {9}};
  progress.lanes = {{{5}, {64}, {}}, {{6}, {64}, {}}};
  progress.exceptions = {exception_row({5}, {1}, true), exception_row({5}, {2}, false)};
  EndpointRow endpoint;
  endpoint.url = "http://a/";
  progress.endpoints = {endpoint};
  auto loaded = put_and_load(progress);
  EXPECT_EQ(loaded.marks.least(), Position{9});
  EXPECT_EQ(loaded.lanes.size(), 2U);
  EXPECT_EQ(loaded.missed, 1U);
  ASSERT_EQ(loaded.waiting.size(), 1U);
  EXPECT_EQ(loaded.waiting[0].position, Position{2});
  EXPECT_EQ(loaded.endpoints, std::vector{endpoint});
  const auto once = raw(Family::kMeta);
  put_and_load(progress);
  EXPECT_EQ(raw(Family::kMeta), once) << "it may be written again";

  Progress later;
  later.settled_lanes = {{5}};
  later.well_endpoints = {"http://a/"};
  loaded = put_and_load(later);
  ASSERT_EQ(loaded.lanes.size(), 1U);
  EXPECT_EQ(loaded.lanes[0].lane, LaneId{6});
  EXPECT_TRUE(loaded.endpoints.empty());
}

TEST_F(ProgressRowsTest, TheLastWordOnAnExceptionHolds) {
  Progress progress;
  progress.exceptions = {exception_row({5}, {1}, false)};
  progress.end_exception({5}, {1});
  progress.end_exception({5}, {2});
  progress.exceptions.push_back(exception_row({5}, {2}, false));
  const auto loaded = put_and_load(progress);
  ASSERT_EQ(loaded.waiting.size(), 1U);
  EXPECT_EQ(loaded.waiting[0].position, Position{2});
}

TEST_F(ProgressRowsTest, NothingOfALaneThatEndedStays) {
  Progress progress;
  progress.lanes = {{{5}, {64}, {}}};
  progress.exceptions = {exception_row({5}, {1}, true), exception_row({6}, {1}, false)};
  progress.ended_lanes = {{5}};
  const auto loaded = put_and_load(progress);
  EXPECT_TRUE(loaded.lanes.empty());
  EXPECT_EQ(loaded.missed, 0U);
  EXPECT_EQ(loaded.waiting.size(), 1U);
}

}  // namespace
}  // namespace eventhorn::store
