#include "store/rocks/wal.h"

#include "base/log.h"
#include "store/rocks/repair/wal_check.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <charconv>
#include <cstdint>
#include <string>

namespace eventhorn::store {
namespace {

// Of NNNNNN.log; 0 of any other file.
uint64_t log_number(const std::filesystem::path& file) {
  if (file.extension() != ".log") return 0;
  const std::string stem = file.stem().string();
  uint64_t out = 0;
  std::from_chars(stem.data(), stem.data() + stem.size(), out);
  return out;
}

}  // namespace

Wal::Wal(Database& database, const std::filesystem::path& data)
    : database_(database),
      syncs_(
          metrics::counter("eventhorn_fsyncs_total", "Writes and syncs that waited for the disk")),
      failed_sync_(data) {}

Status Wal::takes_writes() const {
  if (failed_) return fail(Errc::kUnavailable, "the store failed and is not reopened yet");
  return {};
}

Status Wal::write(rocksdb::WriteBatch& batch, const char* doing) {
  auto status = database_.write(batch, doing);
  if (!status) {
    const std::lock_guard lock(sync_mutex_);
    note_failure();
  }
  return status;
}

// One sync after the other, and none after one that failed: the kernel reports a failed fsync of a
// file once, so the next one would seem to have written what was lost. (RocksDB lets only one run
// at a time anyway.)
Status Wal::sync() {
  const std::lock_guard lock(sync_mutex_);
  TRY_STATUS(takes_writes());
  const auto place = end();
  const uint64_t saves = durability_.saves();
  syncs_.add();
  auto status = to_status(database_->SyncWAL(), "syncing the store");
  if (status) {
    durability_.synced(place, saves);
  } else {
    note_failure();
  }
  return status;
}

Status Wal::write_synced(rocksdb::WriteBatch& batch, const char* doing) {
  const std::lock_guard lock(sync_mutex_);
  TRY_STATUS(takes_writes());
  const uint64_t saves = durability_.saves();
  syncs_.add();
  auto status = database_.write_synced(batch, doing);
  if (status) {
    durability_.synced(end(), saves);
  } else {
    note_failure();
  }
  return status;
}

void Wal::opened() {
  durability_.opened(end());
  failed_sync_.forget();
  failed_ = false;
}

// Where the log ends now. If that cannot be told, behind everything: then nothing is ever cut off.
WalPlace Wal::end() const {
  std::unique_ptr<rocksdb::LogFile> file;
  if (!database_->GetCurrentWalFile(&file).ok() || !file) return {UINT64_MAX, UINT64_MAX};
  return {file->LogNumber(), file->SizeFileBytes()};
}

// With sync_mutex_ held.
void Wal::note_failure() {
  failed_ = true;
  const auto place = end();
  if (place.file != UINT64_MAX) failed_sync_.note(durability_.place(), place.file);
}

bool Wal::cut_unsynced_end(const std::filesystem::path& directory) {
  const auto found = find_wal_damage(directory);
  if (!found || found->size() != 1) return false;
  const auto& damage = found->front();
  const auto offset = damage.offset;
  if (!offset) return false;
  const uint64_t number = log_number(damage.file);
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ec))
    if (log_number(entry.path()) > number) return false;  // what follows would not fit any more
  if (!failed_sync_.covers({number, *offset})) return false;
  std::filesystem::resize_file(damage.file, *offset, ec);
  if (ec) return false;
  log_warn("store", "cut off what was not synced, none of it acknowledged: {}", damage.text());
  return true;
}

}  // namespace eventhorn::store
