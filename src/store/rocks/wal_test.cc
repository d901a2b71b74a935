#include "store/rocks/wal.h"

#include "base/test_support.h"
#include "store/rocks/fault_env_test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <filesystem>

namespace eventhorn::store {
namespace {

using Fault = FaultEnv::Fault;

class WalTest : public testing::Test {
 protected:
  WalTest() {
    open();
    wal.opened();
  }

  void open() {
    EXPECT_TRUE(database
                    .open(db_options(&env), (dir.path() / "store").string(),
                          family_descriptors(nullptr), Database::Access::kReadAndWrite)
                    .ok());
  }

  static rocksdb::WriteBatch batch() {
    rocksdb::WriteBatch out;
    out.Put("key", "value");
    return out;
  }

  Status write() {
    auto one = batch();
    return wal.write(one, "writing");
  }

  Status write_synced() {
    auto one = batch();
    return wal.write_synced(one, "writing");
  }

  const TempDir dir;
  FaultEnv env;
  Database database;
  Wal wal{database, dir.path()};
};

TEST_F(WalTest, ASaveIsDurableOnceItIsSynced) {
  EXPECT_TRUE(write());
  const auto first = wal.saved();
  EXPECT_FALSE(wal.durable(first));
  EXPECT_TRUE(wal.sync());
  EXPECT_TRUE(wal.durable(first));
  EXPECT_TRUE(write());
  const auto second = wal.saved();
  EXPECT_TRUE(write_synced());
  EXPECT_TRUE(wal.durable(second));
}

TEST_F(WalTest, NothingIsWrittenAfterAFailureUntilItIsOpenedAgain) {
  env.fail_one_sync();
  EXPECT_FALSE(wal.sync());
  EXPECT_TRUE(wal.failed());
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "failed_sync"));
  EXPECT_EQ(wal.takes_writes().error().code, Errc::kUnavailable);
  EXPECT_FALSE(wal.sync()) << "the kernel tells of a failed sync only once";
  EXPECT_FALSE(write_synced());
  database.close();
  open();
  wal.opened();
  EXPECT_FALSE(wal.failed());
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "failed_sync"));
  EXPECT_TRUE(wal.takes_writes());
  EXPECT_TRUE(write_synced());
}

TEST_F(WalTest, AWriteThatIsRefusedIsAFailure) {
  env.set_fault(Fault::kNoSpace);
  EXPECT_FALSE(write());
  EXPECT_TRUE(wal.failed());
  env.set_fault(Fault::kNone);
}

TEST_F(WalTest, ReopeningMayHaveLostASave) {
  EXPECT_TRUE(write());
  const auto token = wal.saved();
  database.close();
  open();
  wal.opened();
  EXPECT_TRUE(wal.sync());
  EXPECT_FALSE(wal.durable(token));
}

}  // namespace
}  // namespace eventhorn::store
