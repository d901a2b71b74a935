// Turns closed runs of the tail into index entries: a full run as sorted files that RocksDB takes
// in whole (no memtable, no WAL: a random skip-list insert per key would cost more than the log
// itself), a short one as a batch. Indexing a run twice gives the same entries, so a crash between
// the entries and the mark costs only the work.
#include "base/log.h"
#include "store/rocks/compaction_watch.h"
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>

namespace eventhorn::store {
namespace {

constexpr size_t kBatchLimit = 4096;

// Tries to write a run before it is done without reading what is in the index.
constexpr uint32_t kPatience = 10;

constexpr const char* kNeverTables = "1000000000";  // as many hold up no write

struct IndexRow {
  std::string key;
  std::string value;
};

Status write_file(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, const std::string& path,
                  std::vector<IndexRow>& rows) {
  std::sort(rows.begin(), rows.end(),
            [](const IndexRow& a, const IndexRow& b) { return a.key < b.key; });
  rocksdb::SstFileWriter writer({}, db.GetOptions(family), family);
  TRY_STATUS(to_status(writer.Open(path), "opening an index file"));
  for (const auto& row : rows)
    TRY_STATUS(to_status(writer.Put(row.key, row.value), "writing an index file"));
  return to_status(writer.Finish(), "finishing an index file");
}

}  // namespace

struct RocksStore::IndexRows {
  std::vector<IndexRow> ids;
  std::vector<IndexRow> times;
  std::vector<IndexRow> classes;
};

std::optional<Micros> RocksStore::index_turn() {
  uint64_t wanted = 0;
  bool requested = false;
  {
    const MutexLock lock(index_mutex_);
    if (stopping_) return std::nullopt;
    wanted = index_wanted_;
    requested = wanted > index_served_;
  }
  {
    const std::shared_lock db_lock(db_mutex_);
    const bool idle = clock_.steady_now() - looked_ >= options_.index_idle;
    const bool rests = idle && index_failures_ == 0 && tail_.size() == tail_was_;
    if (requested || rests) tail_.close_open_run();
    // A run that has just failed waits until it is asked for, or a while has passed.
    if (requested || idle || index_failures_ == 0) index_closed_runs();
    tail_was_ = tail_.size();
    looked_ = clock_.steady_now();
    index_lag_.set(static_cast<double>(tail_was_));
    if (usable()) {
      ballast_.keep();
      change_compactions();
    }
  }
  const MutexLock lock(index_mutex_);
  if (requested) {
    index_served_ = wanted;
    index_done_.notify_all();
  }
  return options_.index_idle;
}

void RocksStore::index_closed_runs() {
  while (const auto run = tail_.oldest_closed()) {
    if (auto status = index_run(*run); !status) {
      if (index_failures_++ == 0)
        log_error("store", "indexing failed, will try again error={}", status.error().message);
      return;
    }
    index_failures_ = 0;
    indexed_.add(static_cast<double>(run->size()));
    tail_.drop_oldest();
  }
}

// A family without compactions holds up nobody. Once they go on it has many tables, and must not
// hold up writes then either: this thread is among those that write.
void RocksStore::change_compactions() {
  for (const auto& [changed, on, error] : compactions_->take_changes(clock_.steady_now())) {
    if (!on) note_unreadable(kFamilyNames[static_cast<size_t>(changed)], error);
    using Options = std::unordered_map<std::string, std::string>;
    const auto options = on ? Options{{"disable_auto_compactions", "false"},
                                      {"level0_slowdown_writes_trigger", kNeverTables},
                                      {"level0_stop_writes_trigger", kNeverTables},
                                      {"soft_pending_compaction_bytes_limit", "0"},
                                      {"hard_pending_compaction_bytes_limit", "0"}}
                            : Options{{"disable_auto_compactions", "true"}};
    const auto s = db_->SetOptions(family(changed), options);
    if (!s.ok()) log_error("store", "cannot set compactions error={}", s.ToString());
  }
}

Status RocksStore::index_now() {
  const Position through = head();
  {
    MutexLock lock(index_mutex_);
    const uint64_t ticket = ++index_wanted_;
    indexer_->wake();
    while (!stopping_ && index_served_ < ticket) index_done_.wait(lock);
  }
  const auto runs = tail_.runs();
  if (runs.front()->size() > 0 && (*runs.front())[0].position <= through)
    return fail(Errc::kUnavailable, "events are still waiting for the indexes");
  return {};
}

Result<RocksStore::IndexRows> RocksStore::rows_of(const TailRun& run) {
  IndexRows out;
  const size_t n = run.size();
  out.ids.reserve(n);
  out.times.reserve(n);
  out.classes.reserve(n);
  counts_.begin_run(*db_, family(kClasses), run[0].position, index_failures_ >= kPatience);
  for (size_t i = 0; i < n; ++i) {
    const auto& e = run[i];
    out.ids.push_back(
        {format::id_key(e.domain, e.id), format::id_value(e.position, e.content_hash)});
    out.times.push_back({format::time_key(e.domain, e.timestamp_us, e.id),
                         format::time_value(e.position, e.name, e.severity)});
    if (const auto hook = e.hook()) {
      TRY(auto value, counts_.add(e, *hook));
      out.classes.push_back(
          {format::class_key(e.domain, webhook::class_of(*hook), e.position), std::move(value)});
    }
  }
  counts_.end_run();
  return out;
}

Status RocksStore::index_run(const TailRun& run) {
  if (run.size() == 0) return {};
  TRY_STATUS(usable());
  auto status = write_rows(run);
  if (!status) counts_.clear();  // they have counted what is not in the index
  return status;
}

Status RocksStore::write_rows(const TailRun& run) {
  TRY(auto rows, rows_of(run));
  // To take in files RocksDB reads those that are there; a batch needs no reads.
  const bool by_batch = run.size() <= kBatchLimit || index_failures_ >= kPatience;
  TRY_STATUS(by_batch ? index_by_batch(rows) : index_by_files(run, rows));
  rocksdb::WriteBatch mark;
  put_mark(format::kIndexedThroughKey, run[run.size() - 1].position.value, mark);
  return to_status(db_->Write({}, &mark), "marking the index");
}

Status RocksStore::index_by_batch(const IndexRows& rows) {
  rocksdb::WriteBatch batch;
  for (const auto& r : rows.ids) batch.Put(family(kIds), r.key, r.value);
  for (const auto& r : rows.times) batch.Put(family(kTimes), r.key, r.value);
  for (const auto& r : rows.classes) batch.Put(family(kClasses), r.key, r.value);
  return to_status(db_->Write({}, &batch), "writing the indexes");
}

Status RocksStore::index_by_files(const TailRun& run, IndexRows& rows) {
  const auto base = options_.directory / ("index-" + std::to_string(run[0].position.value));
  std::vector<rocksdb::IngestExternalFileArg> args;
  const auto add = [&](Family f, const char* suffix, std::vector<IndexRow>& family_rows) -> Status {
    if (family_rows.empty()) return {};
    const std::string path = base.string() + suffix;
    TRY_STATUS(write_file(*db_, family(f), path, family_rows));
    rocksdb::IngestExternalFileArg arg;
    arg.column_family = family(f);
    arg.external_files = {path};
    arg.options.move_files = true;
    arg.options.write_global_seqno = false;
    args.push_back(std::move(arg));
    return {};
  };
  TRY_STATUS(add(kIds, ".ids", rows.ids));
  TRY_STATUS(add(kTimes, ".times", rows.times));
  TRY_STATUS(add(kClasses, ".classes", rows.classes));
  auto status = to_status(db_->IngestExternalFiles(args), "taking in index files");
  std::error_code ec;
  for (const auto& arg : args) std::filesystem::remove(arg.external_files.front(), ec);
  return status;
}

}  // namespace eventhorn::store
