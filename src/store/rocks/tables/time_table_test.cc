#include "store/rocks/tables/time_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

using Ids = std::vector<std::string>;

class TimeTableTest : public TableTest {
 protected:
  void put_row(int64_t timestamp_us, const std::string& id, DomainUid domain = kDomain,
               Position position = {1}) {
    put(Family::kTimes, TimeTable::key(domain, timestamp_us, id),
        TimeTable::encode(position, event::Name::kOpened, event::Severity::kNone));
  }

  Ids walk(const PageQuery& query) const {
    Ids out;
    TimeTable::Walk walk(table, query);
    for (; walk.valid(); walk.next()) out.push_back(walk.row().id);
    EXPECT_TRUE(walk.status());
    return out;
  }

  static PageQuery query(bool ascending, int64_t first_us, int64_t last_us) {
    PageQuery out;
    out.domain = kDomain;
    out.ascending = ascending;
    out.first_us = first_us;
    out.last_us = last_us;
    return out;
  }

  TimeTable table{database};
};

TEST_F(TimeTableTest, MakesARowForEachEvent) {
  TailRun run;
  TailEntry entry;
  entry.position = {9};
  entry.domain = kDomain;
  entry.timestamp_us = 1000;
  entry.id = "abc";
  entry.name = event::Name::kFailed;
  entry.severity = event::Severity::kPermanent;
  run.append(entry);
  std::vector<IndexRow> rows;
  ASSERT_TRUE(table.add_rows(run, Index::Reads::kMustSucceed, rows));
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].key, big_endian(kDomain.value) + big_endian(1000) + "abc");
  EXPECT_EQ(rows[0].value, big_endian(9) + static_cast<char>(event::Name::kFailed) +
                               static_cast<char>(event::Severity::kPermanent));
  put(Family::kTimes, rows[0].key, rows[0].value);
  const auto all = query(true, 0, 2000);
  const TimeTable::Walk walk(table, all);
  ASSERT_TRUE(walk.valid());
  EXPECT_EQ(walk.row().timestamp_us, 1000);
  EXPECT_EQ(walk.row().position, Position{9});
  EXPECT_EQ(walk.row().name, event::Name::kFailed);
  EXPECT_EQ(walk.row().severity, event::Severity::kPermanent);
}

TEST_F(TimeTableTest, WalksARangeOfOneDomainInBothDirections) {
  for (const auto* id : {"b", "a"}) put_row(20, id);
  put_row(10, "first");
  put_row(30, "last");
  put_row(20, "other", kOtherDomain);
  put_row(20, "other", DomainUid{kDomain.value - 1});
  EXPECT_EQ(walk(query(true, 10, 30)), (Ids{"first", "a", "b"}));
  EXPECT_EQ(walk(query(true, 11, 31)), (Ids{"a", "b", "last"}));
  EXPECT_EQ(walk(query(false, 30, 10)), (Ids{"last", "b", "a"}));
  EXPECT_EQ(walk(query(false, 29, 9)), (Ids{"b", "a", "first"}));
  EXPECT_EQ(walk(query(true, 31, 99)), Ids{});
  EXPECT_EQ(walk(query(false, INT64_MAX, 0)), (Ids{"last", "b", "a", "first"}));
}

TEST_F(TimeTableTest, GoesOnBeyondACursor) {
  for (const auto* id : {"a", "b", "bb", "c"}) put_row(20, id);
  auto up = query(true, 0, 99);
  up.beyond = PageCursor{20, "b"};
  EXPECT_EQ(walk(up), (Ids{"bb", "c"}));
  auto down = query(false, 99, 0);
  down.beyond = PageCursor{20, "b"};
  EXPECT_EQ(walk(down), Ids{"a"});
  up.first_us = 21;
  EXPECT_EQ(walk(up), Ids{}) << "a cursor only narrows the range";
}

TEST_F(TimeTableTest, RowsExpireWithTheirEvents) {
  put_row(1, "a", kDomain, {1});
  put_row(2, "b", kDomain, {2});
  floors->events = 2;
  compact(Family::kTimes);
  EXPECT_EQ(walk(query(true, 0, 99)), Ids{"b"});
}

}  // namespace
}  // namespace eventhorn::store
