// What only the embedded engine does.
#include "store/rocks/rocks_store.h"

#include "store/rocks/fault_env_test_support.h"
#include "store/rocks_test_support.h"
#include "store/store_test_support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>

namespace eventhorn::store {
namespace {

// A leftover shares its blocks with a live table: writing it anew would overwrite the index.
TEST(RocksStore, LeftoverIndexFilesGoAtTheStart) {
  TempDir dir;
  std::ofstream(dir.path() / "index-1.ids") << "leftover";
  std::ofstream(dir.path() / "other") << "not ours";
  const FakeClock clock;
  const auto store = open_rocks(dir, clock);
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "index-1.ids"));
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "other"));
}

TEST(RocksStore, BallastIsGivenUpOnAFullDiskAndMadeAgain) {
  const TempDir dir;
  const FakeClock clock;
  std::atomic<uint64_t> free_bytes{8 << 20};
  auto options = rocks_options(dir);
  options.ballast_bytes = 1 << 20;
  options.free_bytes = [&] { return free_bytes.load(); };
  const auto store = RocksStore::open(options, clock);
  ASSERT_TRUE(store);
  const auto ballast = dir.path() / "ballast";
  EXPECT_EQ(std::filesystem::file_size(ballast), 1U << 20);
  ASSERT_TRUE((*store)->recover());
  EXPECT_TRUE(std::filesystem::exists(ballast)) << "there was space";
  free_bytes = 1000;
  ASSERT_TRUE((*store)->recover());
  EXPECT_FALSE(std::filesystem::exists(ballast));
  ASSERT_TRUE((*store)->index_now());
  EXPECT_FALSE(std::filesystem::exists(ballast)) << "the disk is still full";
  free_bytes = 3 << 20;
  ASSERT_TRUE((*store)->index_now());
  EXPECT_FALSE(std::filesystem::exists(ballast)) << "not at the first chance";
  free_bytes = 8 << 20;
  ASSERT_TRUE((*store)->index_now());
  EXPECT_EQ(std::filesystem::file_size(ballast), 1U << 20);
}

// C5: under a quota the disk looks free; whatever it is that keeps the store from being reopened,
// the ballast may help.
TEST(RocksStore, C5BallastIsGivenUpWhenTheStoreCannotBeReopened) {
  const TempDir dir;
  const FakeClock clock;
  FaultEnv env;
  auto options = rocks_options(dir, &env);
  options.ballast_bytes = 1 << 20;
  options.free_bytes = [] { return uint64_t{8} << 20; };
  const auto store = RocksStore::open(options, clock);
  ASSERT_TRUE(store);
  const auto ballast = dir.path() / "ballast";
  EXPECT_TRUE(std::filesystem::exists(ballast));
  env.set_fault(FaultEnv::Fault::kDead);
  EXPECT_FALSE((*store)->recover());
  EXPECT_FALSE(std::filesystem::exists(ballast));
  EXPECT_TRUE((*store)->index_now());  // a turn of the indexer, which would make it
  EXPECT_FALSE(std::filesystem::exists(ballast)) << "not while the store is closed";
  env.set_fault(FaultEnv::Fault::kNone);
  EXPECT_TRUE((*store)->recover());
  EXPECT_TRUE((*store)->index_now());
  EXPECT_TRUE(std::filesystem::exists(ballast));
}

// C4: RocksDB keeps a log of which it read nothing, and gives the numbers of its writes once more.
TEST(RocksStore, C4ALogThatBeginsWithATornWriteIsNoCopyOfTheNextOne) {
  for (const uint64_t torn : {300, 40'000}) {
    const TempDir dir;
    const FakeClock clock;
    FaultEnv env;
    auto store = open_rocks(dir, clock, &env);
    store.reset();
    store = open_rocks(dir, clock, &env);  // with a log that is empty
    Progress progress;
    EndpointRow row;
    row.url = "http://a/";
    row.reason = std::string(100'000, 'x');
    progress.endpoints = {row};
    const Progress* const one[] = {&progress};
    ASSERT_TRUE(store->save(one));
    env.set_fault(FaultEnv::Fault::kDead);
    store.reset();
    env.lose_unsynced(torn);
    env.set_fault(FaultEnv::Fault::kNone);
    store = open_rocks(dir, clock, &env);
    WriteSet event;
    event.appends.push_back({make_event("a"), {}, nullptr});
    ASSERT_TRUE(store->commit(event));
    store.reset();
    store = open_rocks(dir, clock, &env);
    ASSERT_TRUE(store);
    EXPECT_EQ(store->load_progress()->endpoints.size(), 0U);
    EXPECT_EQ(store->read_heads(kNoPosition, 9)->size(), 1U);
  }
}

// C13: the kept clock is saved with attempts as well, when no event arrives.
TEST(RocksStore, C13TheKeptClockIsNeverBehindTheStampOfAnAttempt) {
  const TempDir dir;
  FakeClock clock;
  auto store = open_rocks(dir, clock);
  WriteSet event;
  event.appends.push_back({make_event("a"), {}, nullptr});
  ASSERT_TRUE(store->commit(event));
  clock.advance(std::chrono::minutes(30));
  AttemptRow attempt;
  attempt.lane = {5};
  attempt.position = event.appends[0].stored->position;
  attempt.attempt = 2;
  attempt.written = store->kept_clock().now();
  Progress progress;
  progress.attempts.push_back(attempt);
  const Progress* const one[] = {&progress};
  ASSERT_TRUE(store->save(one));
  store.reset();
  clock.power_off(std::chrono::minutes(1));
  store = open_rocks(dir, clock);
  EXPECT_GE(store->kept_clock().now(), attempt.written);
}

}  // namespace
}  // namespace eventhorn::store
