// Helpers of the tests of the embedded engine.
#pragma once

#include "base/test_support.h"
#include "store/rocks/rocks_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdlib.h>
#include <string>

namespace eventhorn::store {

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

/// Of the database's files.
inline std::filesystem::path largest_file(const TempDir& dir, const std::string& extension) {
  std::filesystem::path out;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path() / "store")) {
    if (entry.path().extension() != extension) continue;
    if (out.empty() || entry.file_size() > std::filesystem::file_size(out)) out = entry.path();
  }
  return out;
}

inline void flip_bit(const std::filesystem::path& path, uint64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(offset));
  const char c = static_cast<char>(file.get() ^ 0x10);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(c);
  ASSERT_TRUE(file.good());
}

}  // namespace eventhorn::store
