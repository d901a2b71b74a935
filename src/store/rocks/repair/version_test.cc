// What is in this folder knows files of RocksDB from the inside (repair.h says what).
#include <gtest/gtest.h>
#include <rocksdb/version.h>

namespace eventhorn::store {
namespace {

// For another version: read damage.cc and wal_check.cc beside its sources, run the tests of this
// folder and tests/hostile/test_damage.py, then name it here.
TEST(Repair, KnowsThisVersionOfRocksDB) {
  EXPECT_EQ(rocksdb::GetRocksVersionAsString(), "7.8.3");
}

}  // namespace
}  // namespace eventhorn::store
