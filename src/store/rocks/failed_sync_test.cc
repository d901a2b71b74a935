#include "store/rocks/failed_sync.h"

#include "base/test_support.h"

#include <gtest/gtest.h>

#include <fstream>

namespace eventhorn::store {
namespace {

TEST(FailedSync, CoversWhatLiesBehindTheSyncedPlaceInItsLogs) {
  const TempDir dir;
  FailedSync failed(dir.path());
  EXPECT_FALSE(failed.covers({7, 500}));
  failed.note({7, 100}, 8);
  EXPECT_FALSE(failed.covers({7, 99}));
  EXPECT_FALSE(failed.covers({6, 500}));
  EXPECT_TRUE(failed.covers({7, 100}));
  EXPECT_TRUE(failed.covers({8, 0}));
  EXPECT_FALSE(failed.covers({9, 0})) << "a log of after the next opening";
  failed.forget();
  EXPECT_FALSE(failed.covers({7, 100}));
}

TEST(FailedSync, IsKnownToTheNextProcessUntilItHasOpened) {
  const TempDir dir;
  FailedSync(dir.path()).note({7, 100}, 7);
  FailedSync next(dir.path());
  EXPECT_TRUE(next.covers({7, 100}));
  next.forget();
  EXPECT_FALSE(FailedSync(dir.path()).covers({7, 100}));
}

TEST(FailedSync, ADamagedFileCoversNothing) {
  const TempDir dir;
  for (const char* text : {"", "7", "7 100", "seven 100 7", "7 100 -"}) {
    std::ofstream(dir.path() / "failed_sync", std::ios::trunc) << text;
    EXPECT_FALSE(FailedSync(dir.path()).covers({7, 500})) << text;
  }
}

}  // namespace
}  // namespace eventhorn::store
