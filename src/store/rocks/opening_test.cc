#include "store/rocks/opening.h"

#include "base/test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>

namespace eventhorn::store {
namespace {

namespace fs = std::filesystem;

class OpeningTest : public testing::Test {
 protected:
  const TempDir dir;
  Database database;
  Opening opening{{dir.path(), nullptr, std::chrono::hours(1), std::make_shared<Floors>()}};
};

TEST_F(OpeningTest, MakesAStoreOnceAndNoOtherInItsPlace) {
  EXPECT_TRUE(opening.open(database));
  EXPECT_TRUE(opening.compactions().take_changes({}).empty());
  database.close();
  EXPECT_TRUE(opening.open(database)) << "it is still there";
  database.close();
  fs::rename(opening.directory(), dir.path() / "aside");
  auto gone = opening.open(database);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Errc::kUnavailable);
  EXPECT_NE(gone.error().message.find("is gone"), std::string::npos) << gone.error().message;

  Database other;
  EXPECT_TRUE(Opening({dir.path(), nullptr, {}, std::make_shared<Floors>()}).open(other));
  other.close();
  const auto refused = opening.open(database);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("another one"), std::string::npos);
}

TEST_F(OpeningTest, AStoreThatAnotherHasIsAConflict) {
  EXPECT_TRUE(opening.open(database));
  Database second;
  const auto refused = Opening({dir.path(), nullptr, {}, std::make_shared<Floors>()}).open(second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kConflict);
  EXPECT_FALSE(second.is_open());
}

}  // namespace
}  // namespace eventhorn::store
