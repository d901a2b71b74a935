#include "store/rocks/rocks_store.h"

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/rocks/format.h"
#include "store/rocks/status.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>

namespace eventhorn::store {
namespace {

constexpr std::array<const char*, 7> kFamilyNames = {"default", "log",      "ids",  "times",
                                                     "classes", "attempts", "tries"};
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

rocksdb::DBOptions db_options(rocksdb::Env* env) {
  rocksdb::DBOptions out;
  if (env != nullptr) out.env = env;
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
  out.keep_log_file_num = 4;
  out.max_log_file_size = 4 << 20;
  out.max_open_files = 512;
  return out;
}

}  // namespace

RocksStore::RocksStore(RocksOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      ballast_(options_.directory / "ballast", options_.ballast_bytes,
               [this] { return free_bytes(); }) {}

Result<std::unique_ptr<RocksStore>> RocksStore::open(RocksOptions options, const Clock& clock) {
  std::error_code ec;
  std::filesystem::create_directories(options.directory, ec);
  if (ec) {
    return fail(Errc::kUnavailable,
                "cannot create data directory " + options.directory.string() + ": " + ec.message());
  }
  auto store = std::unique_ptr<RocksStore>(new RocksStore(std::move(options), clock));
  TRY_STATUS(store->open_db());
  store->ballast_.keep();
  store->indexer_ = std::thread([s = store.get()] { s->index_loop(); });
  return store;
}

RocksStore::~RocksStore() {
  {
    const std::lock_guard lock(index_mutex_);
    stopping_ = true;
  }
  index_wake_.notify_all();
  if (indexer_.joinable()) indexer_.join();
  close_db();
}

void RocksStore::close_db() {
  if (!db_) return;
  for (auto* f : families_) db_->DestroyColumnFamilyHandle(f);
  families_.clear();
  db_.reset();
}

Status RocksStore::open_db() {
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes, kCacheShardBits,
                                          /*strict_capacity_limit=*/false,
                                          /*high_pri_pool_ratio=*/0.5);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (size_t i = 0; i < kFamilies; ++i) {
    auto options = family_options(cache, i == kLog, i == kIds || i == kMeta);
    if (i == kMeta)
      options.compaction_filter_factory = make_retention_filter(IndexKind::kMeta, floors_);
    if (i == kIds)
      options.compaction_filter_factory = make_retention_filter(IndexKind::kIds, floors_);
    if (i == kTimes)
      options.compaction_filter_factory = make_retention_filter(IndexKind::kTimes, floors_);
    if (i == kClasses)
      options.compaction_filter_factory = make_retention_filter(IndexKind::kClasses, floors_);
    if (i == kAttempts)
      options.compaction_filter_factory = make_retention_filter(IndexKind::kAttempts, floors_);
    if (i == kTries)
      options.compaction_filter_factory = make_retention_filter(IndexKind::kTries, floors_);
    descriptors.emplace_back(kFamilyNames[i], std::move(options));
  }
  const std::string path = (options_.directory / "store").string();
  rocksdb::DB* db = nullptr;
  const auto status =
      rocksdb::DB::Open(db_options(options_.env), path, descriptors, &families_, &db);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (text.find("While lock file") != std::string::npos ||
        text.find("lock hold by current process") != std::string::npos) {
      return fail(Errc::kConflict, "data directory " + options_.directory.string() +
                                       " is in use by another eventhorn process (" + text +
                                       "); stop it or choose another --data");
    }
    if (status.IsCorruption()) {
      return fail(Errc::kCorruption,
                  "the store in " + path + " is damaged: " + text +
                      "; nothing was changed: restore a backup or keep the directory for repair");
    }
    return fail(Errc::kUnavailable, "cannot open the store in " + path + ": " + text);
  }
  db_.reset(db);
  remove_index_files();
  TRY_STATUS(load_floors());
  TRY_STATUS(find_next_position());
  TRY_STATUS(read_domains());
  TRY_STATUS(rebuild_tail());
  head_.store(next_position_ - 1, std::memory_order_release);
  failed_ = false;
  return {};
}

Status RocksStore::usable() const {
  if (!db_) return fail(Errc::kUnavailable, "the store is closed until it can be reopened");
  return {};
}

Result<uint64_t> RocksStore::load_mark(std::string_view key) const {
  std::string stored;
  const auto s = db_->Get({}, family(kMeta), rocksdb::Slice(key.data(), key.size()), &stored);
  if (s.IsNotFound()) return 0;
  TRY_STATUS(to_status(s, "reading a mark"));
  if (stored.size() != 8) return fail(Errc::kCorruption, "damaged mark in the store");
  return format::get_u64_be(stored.data());
}

// A position is never given twice, even when retention has emptied the log: lanes and the index
// would take the second event for settled.
Status RocksStore::find_next_position() {
  TRY(const uint64_t after_edit, load_mark(format::kNextPositionKey));
  TRY(const uint64_t indexed, load_mark(format::kIndexedThroughKey));
  next_position_ = std::max({uint64_t{1}, after_edit, indexed + 1, floors_->events.load()});
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kLog)));
  it->SeekToLast();
  if (it->Valid())
    next_position_ = std::max(next_position_, format::get_u64_be(it->key().data()) + 1);
  return to_status(it->status(), "reading the end of the log");
}

// A crash may leave files that were taken into an index: they share their blocks with RocksDB's own
// (hard links), so writing one anew would overwrite the index.
void RocksStore::remove_index_files() {
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, ec)) {
    if (entry.path().filename().string().starts_with("index-"))
      std::filesystem::remove(entry.path(), ec);
  }
}

Status RocksStore::rebuild_tail() {
  tail_.clear();
  counts_.clear();
  TRY(const uint64_t indexed, load_mark(format::kIndexedThroughKey));
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kLog)));
  size_t count = 0;
  for (it->Seek(format::u64_key(indexed + 1)); it->Valid(); it->Next()) {
    const Position position{format::get_u64_be(it->key().data())};
    TRY(const EventPtr e, format::decode_log(position, it->value().ToStringView()));
    TailEntry entry{position,
                    e->domain,
                    e->event.timestamp_us,
                    hash_bytes(e->event.bytes),
                    e->event.id,
                    e->event.name,
                    e->event.severity,
                    e->push,
                    static_cast<uint32_t>(e->event.bytes.size())};
    tail_.append(entry);
    if (++count % 1'000'000 == 0)
      log_info("store", "reading the unindexed end of the log events={}", count);
  }
  return to_status(it->status(), "reading the log");
}

Status RocksStore::recover() {
  const std::unique_lock lock(db_mutex_);
  close_db();
  ballast_.yield();
  TRY_STATUS(open_db());
  log_info("store", "reopened the store head={}", head().value);
  return {};
}

uint64_t RocksStore::free_bytes() const {
  if (options_.free_bytes) return options_.free_bytes();
  std::error_code ec;
  const auto space = std::filesystem::space(options_.directory, ec);
  return ec ? UINT64_MAX : space.available;
}

// Given out as they are in memory: with many domains a second copy would cost more than all else.
Result<std::vector<DomainPtr>> RocksStore::load_domains() {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<DomainPtr> out;
  const std::lock_guard domains_lock(domains_mutex_);
  out.reserve(domains_.size());
  for (const auto& [name, domain] : domains_) out.push_back(domain);
  return out;
}

Status RocksStore::read_domains() {
  std::unordered_map<std::string, DomainPtr> domains;
  rocksdb::ReadOptions once;
  once.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(once, family(kMeta)));
  const std::string prefix(1, format::kDomainPrefix);
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    TRY(auto domain, format::decode_domain(it->value().ToStringView()));
    domains.emplace(domain->name, std::move(domain));
  }
  TRY_STATUS(to_status(it->status(), "reading domains"));
  const std::lock_guard lock(domains_mutex_);
  domains_ = std::move(domains);
  return {};
}

}  // namespace eventhorn::store
