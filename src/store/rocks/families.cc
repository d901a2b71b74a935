#include "store/rocks/families.h"

#include "base/log.h"
#include "base/strings.h"
#include "store/rocks/retention_filter.h"
#include "store/rocks/tables/term_table.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <cstdarg>
#include <cstdio>
#include <string>

namespace eventhorn::store {
namespace {

constexpr size_t kBlockCacheBytes = 24 << 20;
constexpr int kCacheShardBits = 4;

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                            bool is_log, bool point_reads) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = is_log ? 32 * 1024 : 8 * 1024;
  if (point_reads) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;
    // The filter of a whole file of ids is larger than a shard of the cache: as one block it would
    // be read from the file for each look-up.
    table.partition_filters = true;
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.pin_top_level_index_and_filter = true;
    table.metadata_block_size = 32 * 1024;
  }
  rocksdb::ColumnFamilyOptions out;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.write_buffer_size = is_log ? 24 << 20 : 4 << 20;
  out.max_write_buffer_number = 3;
  out.compression = rocksdb::kLZ4Compression;
  return out;
}

// What RocksDB has to say goes where our own lines go; of its errors its callers hear anyway. A log
// file of its own would be a risk: when the disk is full, Debian's build (with assertions) aborts
// at the second line that it cannot write.
class OurLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;

  void Logv(const char* format, va_list values) override {
    if (!log_enabled(LogLevel::kDebug)) return;
    std::array<char, 1024> text{};
    vsnprintf(text.data(), text.size(), format, values);
    log_debug("rocksdb", "{}", escape_for_log(text.data()));
  }
};

}  // namespace

rocksdb::DBOptions db_options(rocksdb::Env* env) {
  rocksdb::DBOptions out;
  if (env != nullptr) out.env = env;
  out.info_log = std::make_shared<OurLog>();
  out.create_if_missing = true;
  out.create_missing_column_families = true;
  // RocksDB must not forget silently: a torn tail is cut, anything else refuses to open.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  out.track_and_verify_wals_in_manifest = true;
  out.paranoid_checks = true;
  out.recycle_log_file_num = 0;
  // One writer: concurrent memtable inserts only cost, and sequential ones find their place in
  // O(1).
  out.allow_concurrent_memtable_write = false;
  out.enable_write_thread_adaptive_yield = false;
  // Rarely written families would otherwise keep every WAL alive.
  out.max_total_wal_size = 192 << 20;
  out.max_background_jobs = 2;
  out.max_open_files = 512;
  return out;
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_descriptors(
    std::shared_ptr<Floors> floors, std::chrono::seconds rewrite_after) {
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, kCacheShardBits,
                                          /*strict_capacity_limit=*/false,
                                          /*high_pri_pool_ratio=*/0.5);
  std::vector<rocksdb::ColumnFamilyDescriptor> out;
  for (size_t i = 0; i < kFamilyNames.size(); ++i) {
    const Family family{i};
    auto options = family_options(cache, family == Family::kLog,
                                  family == Family::kIds || family == Family::kMeta);
    if (family == Family::kTerms) options.merge_operator = TermTable::merge_operator();
    if (floors && family != Family::kLog) {  // of the log whole ranges go at once
      options.compaction_filter_factory = make_retention_filter(family, floors);
      options.periodic_compaction_seconds = static_cast<uint64_t>(rewrite_after.count());
    }
    out.emplace_back(kFamilyNames[i], std::move(options));
  }
  return out;
}

}  // namespace eventhorn::store
