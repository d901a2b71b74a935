// A database for the tests of tables and of what is made of them: a real one, small, and without a
// store around it.
#pragma once

#include "base/test_support.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/store_test_support.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::store {

class TableTest : public testing::Test {
 protected:
  TableTest() { open(); }

  void open() {
    const auto status = database.open(db_options(nullptr), (dir.path() / "store").string(),
                                      family_descriptors(floors), Database::Access::kReadAndWrite);
    EXPECT_TRUE(status.ok()) << status.ToString();
  }

  /// Writes what `put` puts into a batch.
  template <class F>
  void write(F put) {
    rocksdb::WriteBatch batch;
    put(batch);
    EXPECT_TRUE(database.write(batch, "writing"));
  }

  void put(Family family, const std::string& key, const std::string& value) {
    write([&](rocksdb::WriteBatch& batch) { batch.Put(database.family(family), key, value); });
  }

  /// So that what retention dropped is gone.
  void compact(Family family) {
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    EXPECT_TRUE(database->CompactRange(options, database.family(family), nullptr, nullptr).ok());
  }

  /// All rows of a family, as they are on disk.
  std::map<std::string, std::string> raw(Family family) const {
    std::map<std::string, std::string> out;
    const auto it = database.rows(family);
    for (it->SeekToFirst(); it->Valid(); it->Next())
      out.emplace(it->key().ToString(), it->value().ToString());
    EXPECT_TRUE(it->status().ok());
    return out;
  }

  size_t count(Family family) const { return raw(family).size(); }

  const TempDir dir;
  const std::shared_ptr<Floors> floors = std::make_shared<Floors>();
  Database database;
};

/// A big-endian integer of `size` bytes: written out once more here, because the bytes on disk must
/// not change together with the code.
inline std::string big_endian(uint64_t value, int size = 8) {
  std::string out;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(value >> shift));
  return out;
}

}  // namespace eventhorn::store
