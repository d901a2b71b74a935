#include "store/rocks/indexer.h"

#include "base/log.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <string>
#include <utility>

namespace eventhorn::store {
namespace {

constexpr const char* kFilePrefix = "index-";

// Of a run that is written as a batch: events and terms.
constexpr size_t kBatchLimit = 4096;
constexpr size_t kBatchTerms = size_t{1} << 18;

// Tries to write a run before it is done without reading what is in the index.
constexpr uint32_t kPatience = 10;

Status write_file(const Database& database, const Index& index, const std::string& path,
                  std::vector<IndexRow>& rows) {
  std::sort(rows.begin(), rows.end(),
            [](const IndexRow& a, const IndexRow& b) { return a.key < b.key; });
  auto* handle = database.family(index.family());
  rocksdb::SstFileWriter writer({}, database->GetOptions(handle), handle);
  TRY_STATUS(to_status(writer.Open(path), "opening an index file"));
  for (const auto& row : rows)
    TRY_STATUS(to_status(
        index.merges() ? writer.Merge(row.key, row.value) : writer.Put(row.key, row.value),
        "writing an index file"));
  return to_status(writer.Finish(), "finishing an index file");
}

/// Files that go with the object.
struct TemporaryFiles {
  std::vector<std::string> paths;

  ~TemporaryFiles() {
    std::error_code ec;
    for (const auto& path : paths) std::filesystem::remove(path, ec);
  }
};

}  // namespace

Indexer::Indexer(const Parts& parts, Options options, std::vector<Index*> indexes)
    : parts_(parts),
      options_(std::move(options)),
      indexes_(std::move(indexes)),
      indexed_(metrics::counter("eventhorn_indexed_events_total", "Events written to the indexes")),
      lag_(
          metrics::gauge("eventhorn_index_lag_events",
                         "Events in the log that are not yet in the indexes (served from memory)")),
      worker_(parts_.workers.make("index", [this] { return turn(); })) {}

Indexer::~Indexer() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    done_.notify_all();
  }
  worker_->stop();
}

void Indexer::reset() {
  for (auto* index : indexes_) index->forget();
  failures_ = 0;
}

void Indexer::appended() {
  if (failures_ == 0 && parts_.tail.oldest_closed()) worker_->wake();
}

Status Indexer::index_now(Position through) {
  {
    MutexLock lock(mutex_);
    const uint64_t ticket = ++wanted_;
    worker_->wake();
    while (!stopping_ && served_ < ticket) done_.wait(lock);
  }
  const auto runs = parts_.tail.runs();
  if (runs.front()->size() > 0 && (*runs.front())[0].position <= through)
    return fail(Errc::kUnavailable, "events are still waiting for the indexes");
  return {};
}

void Indexer::remove_files(const std::filesystem::path& directory) {
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ec)) {
    if (entry.path().filename().string().starts_with(kFilePrefix))
      std::filesystem::remove(entry.path(), ec);
  }
}

std::optional<Micros> Indexer::turn() {
  uint64_t wanted = 0;
  bool requested = false;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return std::nullopt;
    wanted = wanted_;
    requested = wanted > served_;
  }
  bool more = false;
  {
    const std::unique_lock turning(turning_);
    const bool failed = options_.failed && options_.failed();
    if (const auto use = parts_.database.use(); use && !failed) more = work(requested);
  }
  const MutexLock lock(mutex_);
  if (requested) {
    served_ = wanted;
    done_.notify_all();
  }
  return more ? Micros(0) : options_.idle;
}

bool Indexer::work(bool requested) {
  auto& tail = parts_.tail;
  const bool idle = parts_.clock.steady_now() - looked_ >= options_.idle;
  const bool rests = idle && failures_ == 0 && tail.size() == tail_was_;
  if (requested || rests) tail.close_open_run();
  // A run that has just failed waits until it is asked for, or a while has passed.
  if (requested || idle || failures_ == 0) index_closed_runs();
  // Not of turns that follow each other because there is other work: nothing would ever rest.
  if (requested || idle) {
    tail_was_ = tail.size();
    looked_ = parts_.clock.steady_now();
  }
  lag_.set(static_cast<double>(tail.size()));
  return options_.chores && options_.chores();
}

void Indexer::index_closed_runs() {
  while (const auto run = parts_.tail.oldest_closed()) {
    if (auto status = index_run(*run); !status) {
      if (failures_++ == 0)
        log_error("store", "indexing failed, will try again error={}", status.error().message);
      return;
    }
    failures_ = 0;
    indexed_.add(static_cast<double>(run->size()));
    parts_.tail.drop_oldest();
  }
}

Status Indexer::index_run(const TailRun& run) {
  if (run.size() == 0) return {};
  auto status = write_run(run);
  if (!status)
    for (auto* index : indexes_) index->forget();
  return status;
}

Status Indexer::write_run(const TailRun& run) {
  const bool patient = failures_ < kPatience;
  const auto reads = patient ? Index::Reads::kMustSucceed : Index::Reads::kMayFail;
  // To take in files RocksDB reads those that are there; a batch needs no reads.
  const bool small = run.size() <= kBatchLimit && run.terms() <= kBatchTerms;
  const bool by_batch = small || !patient;
  TRY_STATUS(by_batch ? write_batch(run, reads) : write_files(run, reads));
  rocksdb::WriteBatch mark;
  parts_.numbers.put(NumberTable::kIndexedThrough, run[run.size() - 1].position.value, mark);
  return parts_.database.write(mark, "marking the index");
}

Status Indexer::write_batch(const TailRun& run, Index::Reads reads) {
  rocksdb::WriteBatch batch;
  for (auto* index : indexes_) {
    std::vector<IndexRow> rows;
    TRY_STATUS(index->add_rows(run, reads, rows));
    auto* family = parts_.database.family(index->family());
    for (const auto& row : rows) {
      if (index->merges()) {
        batch.Merge(family, row.key, row.value);
      } else {
        batch.Put(family, row.key, row.value);
      }
    }
  }
  return parts_.database.write(batch, "writing the indexes");
}

Status Indexer::write_files(const TailRun& run, Index::Reads reads) {
  const std::string base =
      (options_.directory / (kFilePrefix + std::to_string(run[0].position.value) + ".")).string();
  TemporaryFiles files;
  std::vector<rocksdb::IngestExternalFileArg> args;
  for (auto* index : indexes_) {
    std::vector<IndexRow> rows;
    TRY_STATUS(index->add_rows(run, reads, rows));
    if (rows.empty()) continue;
    const std::string path = base + kFamilyNames[static_cast<size_t>(index->family())];
    files.paths.push_back(path);
    TRY_STATUS(write_file(parts_.database, *index, path, rows));
    rocksdb::IngestExternalFileArg arg;
    arg.column_family = parts_.database.family(index->family());
    arg.external_files = {path};
    arg.options.move_files = true;
    arg.options.write_global_seqno = false;
    args.push_back(std::move(arg));
  }
  return to_status(parts_.database->IngestExternalFiles(args), "taking in index files");
}

}  // namespace eventhorn::store
