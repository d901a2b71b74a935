// Helpers of the tests of the embedded engine.
#pragma once

#include "store/rocks/rocks_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <stdlib.h>
#include <string>

namespace eventhorn::store {

/// A directory that goes with the object.
class TempDir {
 public:
  TempDir() {
    std::string path = testing::TempDir() + "eventhorn-store-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }

  ~TempDir() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Options for tests: no ballast, and the indexer moves only when told (or when a run is full).
inline RocksOptions rocks_options(const TempDir& dir, rocksdb::Env* env = nullptr) {
  RocksOptions out;
  out.directory = dir.path();
  out.env = env;
  out.index_idle = std::chrono::hours(1);
  out.ballast_bytes = 0;
  return out;
}

/// Opens a store that must open.
inline std::unique_ptr<RocksStore> open_rocks(const TempDir& dir, const Clock& clock,
                                              rocksdb::Env* env = nullptr) {
  auto store = RocksStore::open(rocks_options(dir, env), clock);
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

}  // namespace eventhorn::store
