// How much of the write-ahead log is synced, and what may be cut off behind it.
#include "base/log.h"
#include "store/rocks/repair/wal_check.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <charconv>

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

// Where the log ends now. If that cannot be told, behind everything: then nothing is ever cut off.
WalPlace RocksStore::wal_end() const {
  std::unique_ptr<rocksdb::LogFile> file;
  if (!db_->GetCurrentWalFile(&file).ok() || !file) return {UINT64_MAX, UINT64_MAX};
  return {file->LogNumber(), file->SizeFileBytes()};
}

// One sync after the other, and none after one that failed: the kernel reports a failed fsync of a
// file once, so the next one would seem to have written what was lost. (RocksDB lets only one run
// at a time anyway.)
Status RocksStore::sync_wal() {
  const std::lock_guard lock(sync_mutex_);
  if (failed_) return fail(Errc::kUnavailable, kNotReopened);
  const auto end = wal_end();
  const uint64_t saves = durability_.saves();
  syncs_.add();
  auto status = to_status(db_->SyncWAL(), "syncing the store");
  if (status) {
    durability_.synced(end, saves);
  } else {
    note_failure();
  }
  return status;
}

Status RocksStore::write_synced(rocksdb::WriteBatch& batch, const char* doing) {
  const std::lock_guard lock(sync_mutex_);
  if (failed_) return fail(Errc::kUnavailable, kNotReopened);
  rocksdb::WriteOptions options;
  options.sync = true;
  const uint64_t saves = durability_.saves();
  syncs_.add();
  auto status = to_status(db_->Write(options, &batch), doing);
  if (status) {
    durability_.synced(wal_end(), saves);
  } else {
    note_failure();
  }
  return status;
}

void RocksStore::note_failure() {
  failed_ = true;
  const auto end = wal_end();
  if (end.file != UINT64_MAX) failed_sync_.note(durability_.place(), end.file);
}

// Of the hole that a failed sync may leave (failed_sync.h).
bool RocksStore::cut_unsynced_end() {
  const auto directory = options_.directory / "store";
  const auto found = find_wal_damage(directory);
  if (!found || found->size() != 1 || !found->front().offset) return false;
  const auto& damage = found->front();
  const uint64_t number = log_number(damage.file);
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(directory, ec))
    if (log_number(entry.path()) > number) return false;  // what follows would not fit any more
  if (!failed_sync_.covers({number, *damage.offset})) return false;
  std::filesystem::resize_file(damage.file, *damage.offset, ec);
  if (ec) return false;
  log_warn("store", "cut off what was not synced, none of it acknowledged: {}", damage.text());
  return true;
}

}  // namespace eventhorn::store
