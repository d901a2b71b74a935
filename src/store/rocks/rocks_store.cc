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
constexpr size_t kBlockCacheBytes = 48 << 20;

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
    : options_(std::move(options)), clock_(clock) {}

Result<std::unique_ptr<RocksStore>> RocksStore::open(RocksOptions options, const Clock& clock) {
  std::error_code ec;
  std::filesystem::create_directories(options.directory, ec);
  if (ec) {
    return fail(Errc::kUnavailable,
                "cannot create data directory " + options.directory.string() + ": " + ec.message());
  }
  auto store = std::unique_ptr<RocksStore>(new RocksStore(std::move(options), clock));
  TRY_STATUS(store->open_db());
  TRY_STATUS(store->make_ballast());
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
  const auto cache = rocksdb::NewLRUCache(kBlockCacheBytes);
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
  domains_.clear();
  TRY(const auto domains, read_domains());
  for (const auto& d : domains) domains_.emplace(d->name, d);
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
  std::error_code ec;
  const auto space = std::filesystem::space(options_.directory, ec);
  if (!ec && space.available < options_.ballast_bytes) {
    std::filesystem::remove(options_.directory / "ballast", ec);
    log_warn("store", "disk is full: gave up the ballast file so that progress can be written");
  }
  TRY_STATUS(open_db());
  log_info("store", "reopened the store head={}", head().value);
  return {};
}

uint64_t RocksStore::free_bytes() const {
  std::error_code ec;
  const auto space = std::filesystem::space(options_.directory, ec);
  return ec ? UINT64_MAX : space.available;
}

Status RocksStore::make_ballast() {
  const auto path = options_.directory / "ballast";
  std::error_code ec;
  if (options_.ballast_bytes == 0 || std::filesystem::exists(path, ec)) return {};
  const auto space = std::filesystem::space(options_.directory, ec);
  if (ec || space.available < 4 * options_.ballast_bytes) return {};
  std::unique_ptr<rocksdb::WritableFile> file;
  auto* env = rocksdb::Env::Default();
  auto s = env->NewWritableFile(path.string(), &file, {});
  const std::string block(1 << 20, '\0');
  for (uint64_t n = 0; s.ok() && n < options_.ballast_bytes; n += block.size())
    s = file->Append(block);
  if (s.ok()) s = file->Close();
  if (!s.ok()) log_warn("store", "no ballast file error={}", s.ToString());
  return {};
}

Result<std::vector<DomainPtr>> RocksStore::load_domains() {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  return read_domains();
}

Result<std::vector<DomainPtr>> RocksStore::read_domains() const {
  std::vector<DomainPtr> out;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kMeta)));
  const std::string prefix(1, format::kDomainPrefix);
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next()) {
    TRY(auto domain, format::decode_domain(it->value().ToStringView()));
    out.push_back(std::move(domain));
  }
  TRY_STATUS(to_status(it->status(), "reading domains"));
  return out;
}

}  // namespace eventhorn::store
