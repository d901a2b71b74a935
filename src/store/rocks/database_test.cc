#include "store/rocks/database.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace eventhorn::store {
namespace {

using DatabaseTest = TableTest;

TEST_F(DatabaseTest, ReadsWhatWasWritten) {
  put(Family::kLog, "a", "1");
  put(Family::kIds, "a", "2");
  rocksdb::PinnableSlice value;
  EXPECT_TRUE(*database.get(Family::kLog, "a", value, "reading"));
  EXPECT_EQ(value, "1");
  EXPECT_FALSE(*database.get(Family::kTimes, "a", value, "reading"));
  const auto rows = database.rows(Family::kIds, /*once=*/true);
  rows->SeekToFirst();
  ASSERT_TRUE(rows->Valid());
  EXPECT_EQ(rows->value(), "2");
}

TEST_F(DatabaseTest, IsUsableOnlyWhileItIsOpen) {
  EXPECT_TRUE(database.use());
  database.close();
  database.close();
  EXPECT_FALSE(database.is_open());
  const auto refused = database.use();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kUnavailable);
  open();
  EXPECT_TRUE(database.use());
}

TEST_F(DatabaseTest, IsNotOpenAfterAnError) {
  database.close();
  auto options = db_options(nullptr);
  options.error_if_exists = true;
  EXPECT_FALSE(database
                   .open(options, (dir.path() / "store").string(), family_descriptors(floors),
                         Database::Access::kReadAndWrite)
                   .ok());
  EXPECT_FALSE(database.is_open());
  open();
}

TEST_F(DatabaseTest, KeepsWhatWasWrittenForReadingOnly) {
  put(Family::kMeta, "v", "1");
  database.close();
  ASSERT_TRUE(database
                  .open(db_options(nullptr), (dir.path() / "store").string(),
                        family_descriptors(nullptr), Database::Access::kRead)
                  .ok());
  rocksdb::PinnableSlice value;
  EXPECT_TRUE(*database.get(Family::kMeta, "v", value, "reading"));
  rocksdb::WriteBatch batch;
  batch.Put("v", "2");
  EXPECT_FALSE(database.write(batch, "writing"));
}

TEST_F(DatabaseTest, WhoHasItAloneWaitsForThoseWhoUseIt) {
  auto use = *database.use();
  std::atomic<bool> alone{false};
  std::thread closing([&] {
    const auto lock = database.alone();
    EXPECT_TRUE(alone.exchange(true));
    database.close();
  });
  EXPECT_FALSE(alone.exchange(true)) << "it is still in use";
  use.unlock();
  closing.join();
  EXPECT_FALSE(database.use());
}

}  // namespace
}  // namespace eventhorn::store
