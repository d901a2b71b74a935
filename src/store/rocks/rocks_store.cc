#include "store/rocks/rocks_store.h"

#include "base/check.h"
#include "base/log.h"
#include "store/rocks/compaction_watch.h"
#include "store/rocks/format.h"
#include "store/rocks/repair/wal_check.h"
#include "store/rocks/scan.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

namespace eventhorn::store {
namespace {

constexpr int64_t kBetweenTellingS = 10;

}  // namespace

RocksStore::RocksStore(RocksOptions options, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      kept_clock_(clock, options_.clock_hold),
      failed_sync_(options_.directory),
      ballast_(
          options_.directory / "ballast", options_.ballast_bytes, [this] { return free_bytes(); },
          clock),
      unreadable_(metrics::counter("eventhorn_store_unreadable_total",
                                   "Reads of the store that failed and were passed over")),
      indexed_(metrics::counter("eventhorn_indexed_events_total", "Events written to the indexes")),
      syncs_(
          metrics::counter("eventhorn_fsyncs_total", "Writes and syncs that waited for the disk")),
      index_lag_(
          metrics::gauge("eventhorn_index_lag_events",
                         "Events in the log that are not yet in the indexes (served from memory)")),
      indexer_((options_.workers != nullptr ? *options_.workers : threads_).make("index", [this] {
        return index_turn();
      })) {}

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
  store->indexer_->wake();
  return store;
}

RocksStore::~RocksStore() {
  {
    const MutexLock lock(index_mutex_);
    stopping_ = true;
    index_done_.notify_all();
  }
  indexer_->stop();
  close_db();
}

void RocksStore::close_db() {
  if (!db_) return;
  for (auto* f : families_) db_->DestroyColumnFamilyHandle(f);
  families_.clear();
  db_.reset();
}

tl::unexpected<Error> RocksStore::damaged(const std::string& where) const {
  const std::string data = options_.directory.string();
  return fail(Errc::kCorruption, "the store in " + data + " is damaged: " + where +
                                     "; nothing was changed: restore a backup, or run `eventhorn "
                                     "repair --data " +
                                     data + "`");
}

// All or nothing: readers of a store that is loaded in part would take its empty tail for "all is
// in the indexes", and lanes would skip what is not.
Status RocksStore::open_db() {
  auto status = open_and_load();
  if (!status && status.error().code == Errc::kCorruption && cut_unsynced_end())
    status = open_and_load();
  if (!status)
    return status.error().code == Errc::kCorruption ? damaged(status.error().message) : status;
  head_.store(next_position_ - 1, std::memory_order_release);
  durability_.opened(wal_end());
  failed_sync_.forget();
  failed_ = false;
  return {};
}

Status RocksStore::open_and_load() {
  auto status = open_files();
  if (status) status = load();
  if (!status) close_db();
  return status;
}

Status RocksStore::open_files() {
  const auto directory = options_.directory / "store";
  const std::string path = directory.string();
  TRY(const auto hidden, find_hidden_wal_damage(directory));
  if (!hidden.empty()) return fail(Errc::kCorruption, hidden.front().text());
  const bool reopening = !identity_.empty();
  std::error_code ec;
  if (reopening && !std::filesystem::exists(directory / "CURRENT", ec)) {
    return fail(Errc::kUnavailable, "the store in " + path +
                                        " is gone, its directory is missing or empty; no new one "
                                        "is made in its place: bring it back (is it mounted?)");
  }
  auto options = db_options(options_.env);
  options.create_if_missing = !reopening;
  options.create_missing_column_families = !reopening;
  compactions_ = std::make_shared<CompactionWatch>();
  options.listeners.push_back(compactions_);
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(
      options, path, family_descriptors(floors_, options_.rewrite_after), &families_, &db);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (text.find("While lock file") != std::string::npos ||
        text.find("lock hold by current process") != std::string::npos) {
      return fail(Errc::kConflict, "data directory " + options_.directory.string() +
                                       " is in use by another eventhorn process (" + text +
                                       "); stop it or choose another --data");
    }
    if (status.IsCorruption()) {
      TRY(const auto found, find_wal_damage(directory));
      return fail(Errc::kCorruption, found.empty() ? text : found.front().text() + ": " + text);
    }
    return fail(Errc::kUnavailable, "cannot open the store in " + path + ": " + text);
  }
  db_.reset(db);
  std::string identity;
  TRY_STATUS(to_status(db_->GetDbIdentity(identity), "reading the identity of the store"));
  if (reopening && identity != identity_)
    return fail(Errc::kUnavailable, "the store in " + path + " is another one than before (" +
                                        identity + ", not " + identity_ + ")");
  identity_ = std::move(identity);
  remove_index_files();
  return {};
}

Status RocksStore::load() {
  TRY_STATUS(load_floors());
  TRY_STATUS(find_next_position());
  if (next_position_ <= head().value)
    return fail(Errc::kUnavailable, "the store ends before position " +
                                        std::to_string(head().value) +
                                        ", which was acknowledged: is it an older copy of itself?");
  TRY_STATUS(start_clock());
  TRY_STATUS(read_domains());
  return rebuild_tail();
}

Status RocksStore::usable() const {
  if (!db_) return fail(Errc::kUnavailable, "the store is closed until it can be reopened");
  return {};
}

std::unique_ptr<rocksdb::Iterator> RocksStore::rows(Family f, bool once) const {
  rocksdb::ReadOptions options;
  options.fill_cache = !once;
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family(f)));
}

Result<std::optional<uint64_t>> RocksStore::load_mark(std::string_view key) const {
  std::string stored;
  const auto s = db_->Get({}, family(kMeta), to_slice(key), &stored);
  if (s.IsNotFound()) return std::optional<uint64_t>();
  TRY_STATUS(to_status(s, "reading a mark"));
  if (stored.size() != 8) return fail(Errc::kCorruption, "damaged mark in the store");
  return std::optional(format::get_u64_be(stored.data()));
}

void RocksStore::put_mark(std::string_view key, uint64_t value, rocksdb::WriteBatch& batch) const {
  batch.Put(family(kMeta), to_slice(key), format::u64_key(value));
}

// A position is never given twice, even when retention has emptied the log: lanes and the index
// would take the second event for settled.
Status RocksStore::find_next_position() {
  TRY(const auto after_edit, load_mark(format::kNextPositionKey));
  TRY(const auto indexed, load_mark(format::kIndexedThroughKey));
  next_position_ = std::max(
      {uint64_t{1}, after_edit.value_or(0), indexed.value_or(0) + 1, floors_->events.load()});
  const auto it = rows(kLog);
  it->SeekToLast();
  if (it->Valid())
    next_position_ = std::max(next_position_, format::get_u64_be(it->key().data()) + 1);
  return to_status(it->status(), "reading the end of the log");
}

// A store of before there was a kept clock, or a new one, goes on from the wall clock, but not
// later than its last commit: the time it was off since is judged as any other step.
Status RocksStore::start_clock() {
  std::string stored;
  const auto s = db_->Get({}, family(kMeta), to_slice(format::kKeptClockKey), &stored);
  if (s.ok()) {
    TRY(const auto saved, format::decode_kept_clock(stored));
    kept_clock_.start(saved, {});
    return {};
  }
  if (!s.IsNotFound()) return to_status(s, "reading the kept clock");
  SystemTime fresh = clock_.now();
  const auto it = rows(kLog);
  it->SeekToLast();
  TRY_STATUS(to_status(it->status(), "reading the end of the log"));
  if (it->Valid()) {
    const Position last{format::get_u64_be(it->key().data())};
    TRY(const auto event, format::decode_log(last, it->value().ToStringView()));
    fresh = std::min(fresh, event->committed);
  }
  kept_clock_.start(std::nullopt, fresh);
  return {};
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
  index_failures_ = 0;
  TRY(const auto indexed, load_mark(format::kIndexedThroughKey));
  const auto it = rows(kLog);
  size_t count = 0;
  for (it->Seek(format::u64_key(indexed.value_or(0) + 1)); it->Valid(); it->Next()) {
    const Position position{format::get_u64_be(it->key().data())};
    TRY(const EventPtr e, format::decode_log(position, it->value().ToStringView()));
    tail_.append(TailEntry::of(*e));
    if (++count % 1'000'000 == 0)
      log_info("store", "reading the unindexed end of the log events={}", count);
  }
  return to_status(it->status(), "reading the log");
}

Status RocksStore::recover() {
  const std::unique_lock lock(db_mutex_);
  close_db();
  ballast_.yield();
  auto status = open_db();
  if (!status) {
    ballast_.give_up();  // for the next try
    return status;
  }
  kept_clock_.lost();  // its row may have been among what was not synced
  log_info("store", "reopened the store head={}", head().value);
  return {};
}

void RocksStore::note_unreadable(const char* what, const std::string& error) {
  unreadable_.add();
  const int64_t now_s =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.steady_now().time_since_epoch())
          .count();
  int64_t told = unreadable_told_s_;
  if (told > now_s - kBetweenTellingS || !unreadable_told_s_.compare_exchange_strong(told, now_s))
    return;
  log_error("store",
            "cannot read {}; stop the server and run `eventhorn repair --data {}` error={}", what,
            options_.directory.string(), error);
}

Status RocksStore::may_append() const {
  const size_t events = tail_.size();
  if (events <= options_.max_tail_events && tail_.memory() <= options_.max_tail_bytes) return {};
  return fail(Errc::kUnavailable,
              std::to_string(events) +
                  " events wait for the indexes, and no more are taken until they are there: see "
                  "the server's log");
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
  const MutexLock domains_lock(domains_mutex_);
  out.reserve(domains_.size());
  for (const auto& [name, domain] : domains_) out.push_back(domain);
  return out;
}

Status RocksStore::read_domains() {
  std::unordered_map<std::string, DomainPtr> domains;
  const auto take = [&](std::string_view, std::string_view value) -> Result<bool> {
    TRY(auto domain, format::decode_domain(value));
    domains.emplace(domain->name, std::move(domain));
    return true;
  };
  const std::string prefix(1, format::kDomainPrefix);
  TRY_STATUS(scan_prefix(rows(kMeta, /*once=*/true), prefix, "reading domains", take));
  const MutexLock lock(domains_mutex_);
  domains_ = std::move(domains);
  return {};
}

}  // namespace eventhorn::store
