#include "store/rocks/clock_keeper.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class ClockKeeperTest : public TableTest {
 protected:
  ClockKeeperTest() { kept.start(std::nullopt, clock.now()); }

  /// Whether a write of one row brought the clock's with it.
  bool kept_with_a_write(bool has_stamps) {
    const auto before = raw(Family::kMeta)["k"];
    rocksdb::WriteBatch batch;
    batch.Put("row", "value");
    EXPECT_TRUE(keeper.write(batch, has_stamps));
    return raw(Family::kMeta)["k"] != before;
  }

  FakeClock clock;
  KeptClock kept{clock, std::chrono::hours(1)};
  ClockTable table{database};
  Wal wal{database, dir.path()};
  ClockKeeper keeper{kept, table, wal};
};

TEST_F(ClockKeeperTest, TheRowIsWrittenWithStampsWhenItIsDue) {
  EXPECT_FALSE(kept_with_a_write(/*has_stamps=*/false));
  EXPECT_TRUE(kept_with_a_write(/*has_stamps=*/true));
  clock.advance(KeptClock::kSaveEvery / 2);
  EXPECT_FALSE(kept_with_a_write(true));
  clock.advance(KeptClock::kSaveEvery);
  EXPECT_TRUE(kept_with_a_write(true));
  clock.advance(Micros(1));
  keeper.lost();
  EXPECT_TRUE(kept_with_a_write(true)) << "it may not be there any more";
}

TEST_F(ClockKeeperTest, ASyncedWriteHasItAlways) {
  EXPECT_TRUE(kept_with_a_write(true));
  clock.advance(Micros(5));
  rocksdb::WriteBatch batch;
  EXPECT_TRUE(keeper.write_synced(batch, "writing"));
  EXPECT_EQ((**table.load()).kept, kept.now());
}

TEST_F(ClockKeeperTest, AnEmptyBatchIsNotWritten) {
  rocksdb::WriteBatch batch;
  const auto before = database->GetLatestSequenceNumber();
  EXPECT_TRUE(keeper.write(batch, false));
  EXPECT_EQ(database->GetLatestSequenceNumber(), before);
}

}  // namespace
}  // namespace eventhorn::store
