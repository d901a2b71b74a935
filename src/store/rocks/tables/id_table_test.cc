#include "store/rocks/tables/id_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class IdTableTest : public TableTest {
 protected:
  IdTable table{database};
};

TEST_F(IdTableTest, MakesARowForEachEvent) {
  TailRun run;
  for (uint64_t i = 1; i <= 3; ++i) {
    TailEntry entry;
    entry.position = {i};
    entry.domain = kDomain;
    entry.id = "abc";
    entry.content_hash = 70 + i;
    entry.push = i != 2;
    run.append(entry);
  }
  std::vector<IndexRow> rows;
  ASSERT_TRUE(table.add_rows(run, Index::Reads::kMustSucceed, rows));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[1].key, big_endian(kDomain.value) + "abc");
  EXPECT_EQ(rows[1].value, big_endian(2) + big_endian(72));
}

TEST_F(IdTableTest, LooksUpManyAtOnce) {
  put(Family::kIds, IdTable::key(kDomain, "a"), IdTable::encode({5}, 55));
  put(Family::kIds, IdTable::key(kDomain, "short"), "short");
  const auto answers = table.look_up({IdTable::key(kOtherDomain, "a"), IdTable::key(kDomain, "a"),
                                      IdTable::key(kDomain, "short")});
  ASSERT_TRUE(answers[0]);
  EXPECT_FALSE(*answers[0]);
  ASSERT_TRUE(answers[1] && *answers[1]);
  EXPECT_EQ((*answers[1])->position, Position{5});
  EXPECT_EQ((*answers[1])->content_hash, 55U);
  ASSERT_FALSE(answers[2]);
  EXPECT_EQ(answers[2].error().code, Errc::kCorruption);
}

TEST_F(IdTableTest, RowsExpireByTheFloorOfIds) {
  for (const uint64_t i : {1, 2, 3})
    put(Family::kIds, IdTable::key(kDomain, std::to_string(i)), IdTable::encode({i}, 0));
  floors->events = 100;
  floors->ids = 3;
  compact(Family::kIds);
  EXPECT_EQ(count(Family::kIds), 1U);
  EXPECT_TRUE(raw(Family::kIds).contains(big_endian(kDomain.value) + "3"));
}

}  // namespace
}  // namespace eventhorn::store
