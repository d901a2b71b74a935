#include "store/rocks/tables/clock_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

SystemTime at(int64_t us) {
  return from_micros(kBaseUs + us);
}

class ClockTableTest : public TableTest {
 protected:
  ClockTable table{database};
};

TEST_F(ClockTableTest, KeepsAllOfTheClock) {
  EXPECT_FALSE(*table.load());
  KeptClock::Saved saved;
  saved.kept = at(1);
  saved.at = {77, Micros(5)};
  saved.gaps = {{at(2), at(3)}, {at(4), at(5)}};
  for (const bool corrected : {false, true}) {
    saved.open = KeptClock::OpenGap{at(6), corrected};
    write([&](auto& batch) { table.put(saved, batch); });
    const auto got = table.load();
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->kept, saved.kept);
    EXPECT_EQ((*got)->at.boot, 77U);
    EXPECT_EQ((*got)->at.since, Micros(5));
    EXPECT_EQ((*got)->gaps, saved.gaps);
    EXPECT_EQ((*got)->open, saved.open);
  }
  saved.open.reset();
  write([&](auto& batch) { table.put(saved, batch); });
  EXPECT_EQ((**table.load()).open, std::nullopt);
  EXPECT_EQ(count(Family::kMeta), 1U);
}

TEST_F(ClockTableTest, ARowCutShortOrWithMoreIsDamage) {
  KeptClock::Saved saved;
  saved.gaps = {{at(2), at(3)}};
  saved.open = KeptClock::OpenGap{at(6), true};
  const auto row = ClockTable::encode(saved);
  for (size_t n = 0; n < row.size(); ++n) EXPECT_FALSE(ClockTable::decode(row.substr(0, n))) << n;
  EXPECT_FALSE(ClockTable::decode(row + '\0'));
  put(Family::kMeta, "k", "\x63");
  EXPECT_EQ(table.load().error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace eventhorn::store
