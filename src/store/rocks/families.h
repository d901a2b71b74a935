// The column families of the database and how RocksDB keeps them (docs/STORAGE_FORMAT.md).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace rocksdb {
struct ColumnFamilyDescriptor;
struct DBOptions;
class Env;
}  // namespace rocksdb

namespace eventhorn::store {

struct Floors;

enum class Family : size_t { kMeta, kLog, kIds, kTimes, kClasses, kAttempts, kTries, kTerms };

/// On disk: do not change. In the order of Family.
inline constexpr std::array kFamilyNames = {"default", "log",      "ids",   "times",
                                            "classes", "attempts", "tries", "terms"};
static_assert(kFamilyNames.size() == static_cast<size_t>(Family::kTerms) + 1);

/// `env` null is the machine's.
rocksdb::DBOptions db_options(rocksdb::Env* env);

/// In the order of Family. What is below `floors` goes when RocksDB compacts; null keeps it. Tables
/// that nothing else compacts are once they are as old as `rewrite_after`.
std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(
    std::shared_ptr<Floors> floors, std::chrono::seconds rewrite_after = std::chrono::days(30));

}  // namespace eventhorn::store
