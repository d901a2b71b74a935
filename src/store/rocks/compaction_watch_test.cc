#include "store/rocks/compaction_watch.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

constexpr SteadyTime kStart{};
constexpr auto kFamily = Family::kIds;

void compact(CompactionWatch& watch, const rocksdb::Status& status, int times = 1) {
  rocksdb::CompactionJobInfo info;
  info.cf_name = kFamilyNames[static_cast<size_t>(kFamily)];
  info.status = status;
  for (int i = 0; i < times; ++i) watch.OnCompactionCompleted(nullptr, info);
}

// C14: what cannot be read for a while does not end compactions, and what cannot be read ever does
// not keep the disk busy.
TEST(CompactionWatch, C14OnlyFailuresInARowEndCompactions) {
  CompactionWatch watch;
  for (int i = 0; i < 3; ++i) {
    compact(watch, rocksdb::Status::IOError(), CompactionWatch::kTries - 1);
    compact(watch, rocksdb::Status::OK());
  }
  compact(watch, rocksdb::Status::IOError(), CompactionWatch::kTries - 1);
  compact(watch, rocksdb::Status::NoSpace());
  compact(watch, rocksdb::Status::ShutdownInProgress());
  EXPECT_TRUE(watch.take_changes(kStart).empty());
  compact(watch, rocksdb::Status::Corruption("bits"));
  const auto changes = watch.take_changes(kStart);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].family, kFamily);
  EXPECT_FALSE(changes[0].on);
  EXPECT_NE(changes[0].error.find("bits"), std::string::npos);
}

TEST(CompactionWatch, C14CompactionsAreTriedAgainAfterARest) {
  CompactionWatch watch;
  SteadyTime now = kStart;
  for (int i = 0; i < 3; ++i) {
    compact(watch, rocksdb::Status::IOError(), CompactionWatch::kTries + 1);
    EXPECT_EQ(watch.take_changes(now).size(), 1U);
    EXPECT_TRUE(watch.take_changes(now + CompactionWatch::kRest - Micros(1)).empty());
    now += CompactionWatch::kRest;
    const auto changes = watch.take_changes(now);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0].family, kFamily);
    EXPECT_TRUE(changes[0].on);
    EXPECT_TRUE(watch.take_changes(now).empty()) << "its failures are forgotten";
  }
}

}  // namespace
}  // namespace eventhorn::store
