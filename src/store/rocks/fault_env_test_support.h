// A disk that fails on command, for tests: it holds syncs of the write-ahead log, refuses writes,
// cannot read or has bits flipped, and at a power cut loses every byte that was not synced. Nothing
// is really synced, because a test does not outlive the machine.
#pragma once

#include <rocksdb/env.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace eventhorn::store {

/// Thread-safe. Outlives the stores that use it.
class FaultEnv final : public rocksdb::EnvWrapper {
 public:
  enum class Fault { kNone, kSyncFails, kNoSpace, kDead };
  enum class ReadFault { kNone, kError, kFlip };

  FaultEnv() : EnvWrapper(rocksdb::Env::Default()) {}

  /// What every write or sync of the log meets from now on.
  void set_fault(Fault fault) {
    const std::lock_guard lock(mutex_);
    fault_ = fault;
  }

  /// What reads of the first block of these files meet from now on. Open files too.
  void set_read_fault(
      ReadFault fault,
      std::function<bool(const std::string& path)> which = [](const auto&) { return true; }) {
    const std::lock_guard lock(mutex_);
    read_fault_ = fault;
    broken_ = std::move(which);
  }

  /// After `good` syncs of the log one fails, and no later one: so the kernel tells of what it
  /// lost.
  void fail_one_sync(int good = 0) {
    const std::lock_guard lock(mutex_);
    good_syncs_ = good;
  }

  /// Holds the next and all later syncs of the log, until release_syncs().
  void hold_syncs() {
    const std::lock_guard lock(mutex_);
    holding_ = true;
  }

  /// Waits until a sync of the log is held.
  void wait_for_held_sync() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_ > 0; });
  }

  void release_syncs() {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    changed_.notify_all();
  }

  /// Whether the size of the log cannot be had.
  void hide_sizes(bool hide) {
    const std::lock_guard lock(mutex_);
    sizes_hidden_ = hide;
  }

  rocksdb::Status GetFileSize(const std::string& path, uint64_t* size) override {
    const std::lock_guard lock(mutex_);
    if (sizes_hidden_ && is_log(path)) return rocksdb::Status::IOError("input/output error");
    return target()->GetFileSize(path, size);
  }

  /// Files grow older by so much.
  void advance(std::chrono::seconds by) {
    const std::lock_guard lock(mutex_);
    ahead_ += by;
  }

  rocksdb::Status GetCurrentTime(int64_t* seconds) override {
    auto s = target()->GetCurrentTime(seconds);
    const std::lock_guard lock(mutex_);
    *seconds += ahead_.count();
    return s;
  }

  /// Syncs of the log that succeeded.
  int syncs() const {
    const std::lock_guard lock(mutex_);
    return syncs_;
  }

  /// What a power cut leaves of the files: what was synced, and of the log `torn` bytes more. Call
  /// when no store is open; set kDead before closing it.
  void lose_unsynced(uint64_t torn = 0) {
    const std::lock_guard lock(mutex_);
    for (const auto& [path, synced] : synced_) {
      std::error_code ec;
      const uint64_t left = synced + (is_log(path) ? torn : 0);
      if (std::filesystem::file_size(path, ec) > left && !ec)
        std::filesystem::resize_file(path, left, ec);
    }
    synced_.clear();
  }

  /// A power cut between closing and the next opening of the store, in one process: what was not
  /// synced is lost then.
  void lose_unsynced_at_open() {
    const std::lock_guard lock(mutex_);
    lose_at_open_ = true;
  }

  rocksdb::Status LockFile(const std::string& path, rocksdb::FileLock** lock) override {
    bool lose = false;
    {
      const std::lock_guard guard(mutex_);
      lose = std::exchange(lose_at_open_, false);
    }
    if (lose) lose_unsynced();
    return target()->LockFile(path, lock);
  }

  rocksdb::Status NewRandomAccessFile(const std::string& path,
                                      std::unique_ptr<rocksdb::RandomAccessFile>* out,
                                      const rocksdb::EnvOptions& options) override {
    auto s = target()->NewRandomAccessFile(path, out, options);
    if (s.ok()) *out = std::make_unique<ReadFile>(*this, path, std::move(*out));
    return s;
  }

  rocksdb::Status NewWritableFile(const std::string& path,
                                  std::unique_ptr<rocksdb::WritableFile>* out,
                                  const rocksdb::EnvOptions& options) override {
    return wrap(path, 0, target()->NewWritableFile(path, out, options), out);
  }

  rocksdb::Status ReopenWritableFile(const std::string& path,
                                     std::unique_ptr<rocksdb::WritableFile>* out,
                                     const rocksdb::EnvOptions& options) override {
    std::error_code ec;
    const auto size = std::filesystem::file_size(path, ec);
    return wrap(path, ec ? 0 : size, target()->ReopenWritableFile(path, out, options), out);
  }

  rocksdb::Status NewDirectory(const std::string& path,
                               std::unique_ptr<rocksdb::Directory>* out) override {
    auto s = target()->NewDirectory(path, out);
    if (s.ok()) *out = std::make_unique<Folder>();
    return s;
  }

  rocksdb::Status RenameFile(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (const auto it = synced_.find(from); it != synced_.end()) {
      synced_[to] = it->second;
      synced_.erase(it);
    }
    return target()->RenameFile(from, to);
  }

  rocksdb::Status LinkFile(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (const auto it = synced_.find(from); it != synced_.end()) synced_[to] = it->second;
    return target()->LinkFile(from, to);
  }

 private:
  class File final : public rocksdb::WritableFileWrapper {
   public:
    File(FaultEnv& env, std::string path, std::unique_ptr<rocksdb::WritableFile> file,
         uint64_t size)
        : WritableFileWrapper(file.get()),
          env_(env),
          path_(std::move(path)),
          file_(std::move(file)),
          size_(size) {}

    rocksdb::Status Append(const rocksdb::Slice& data) override {
      if (auto s = env_.check_write(path_); !s.ok()) return s;
      auto s = file_->Append(data);
      if (s.ok()) size_ += data.size();
      return s;
    }

    rocksdb::Status Append(const rocksdb::Slice& data,
                           const rocksdb::DataVerificationInfo&) override {
      return Append(data);
    }

    rocksdb::Status Sync() override {
      const uint64_t size = size_;
      if (auto s = env_.check_sync(path_); !s.ok()) return s;
      env_.synced(path_, size);
      return rocksdb::Status::OK();
    }

    rocksdb::Status Fsync() override { return Sync(); }

    // Sets no room aside: a file system in memory would fill megabytes for every log.
    void PrepareWrite(size_t, size_t) override {}

   private:
    FaultEnv& env_;
    const std::string path_;
    const std::unique_ptr<rocksdb::WritableFile> file_;
    std::atomic<uint64_t> size_;
  };

  class Folder final : public rocksdb::Directory {
   public:
    rocksdb::Status Fsync() override { return rocksdb::Status::OK(); }
  };

  class ReadFile final : public rocksdb::RandomAccessFileWrapper {
   public:
    ReadFile(const FaultEnv& env, std::string path, std::unique_ptr<rocksdb::RandomAccessFile> file)
        : RandomAccessFileWrapper(file.get()),
          env_(env),
          path_(std::move(path)),
          file_(std::move(file)) {}

    rocksdb::Status Read(uint64_t offset, size_t n, rocksdb::Slice* result,
                         char* scratch) const override {
      const auto fault = offset == 0 ? env_.read_fault(path_) : ReadFault::kNone;
      if (fault == ReadFault::kError) return rocksdb::Status::IOError("input/output error");
      auto s = file_->Read(offset, n, result, scratch);
      if (s.ok() && fault == ReadFault::kFlip && result->size() > kFlippedByte) {
        if (result->data() != scratch) std::memcpy(scratch, result->data(), result->size());
        scratch[kFlippedByte] = static_cast<char>(scratch[kFlippedByte] ^ 0x10);
        *result = {scratch, result->size()};
      }
      return s;
    }

    rocksdb::Status MultiRead(rocksdb::ReadRequest* requests, size_t count) override {
      for (size_t i = 0; i < count; ++i) {
        auto& r = requests[i];
        r.status = Read(r.offset, r.len, &r.result, r.scratch);
      }
      return rocksdb::Status::OK();
    }

    rocksdb::Status Prefetch(uint64_t, size_t) override {
      return rocksdb::Status::NotSupported("reads go through Read()");
    }

   private:
    static constexpr size_t kFlippedByte = 10;

    const FaultEnv& env_;
    const std::string path_;
    const std::unique_ptr<rocksdb::RandomAccessFile> file_;
  };

  ReadFault read_fault(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return read_fault_ != ReadFault::kNone && broken_(path) ? read_fault_ : ReadFault::kNone;
  }

  static bool is_log(const std::string& path) { return path.ends_with(".log"); }

  rocksdb::Status wrap(const std::string& path, uint64_t size, rocksdb::Status s,
                       std::unique_ptr<rocksdb::WritableFile>* out) {
    if (!s.ok()) return s;
    {
      const std::lock_guard lock(mutex_);
      synced_.try_emplace(path, size);
    }
    *out = std::make_unique<File>(*this, path, std::move(*out), size);
    return s;
  }

  rocksdb::Status check_write(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (fault_ == Fault::kDead) return rocksdb::Status::IOError("power cut");
    if (fault_ == Fault::kNoSpace && is_log(path))
      return rocksdb::Status::NoSpace("no space left on device");
    return rocksdb::Status::OK();
  }

  rocksdb::Status check_sync(const std::string& path) {
    std::unique_lock lock(mutex_);
    if (is_log(path) && holding_) {
      ++held_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !holding_; });
      --held_;
    }
    if (fault_ == Fault::kDead) return rocksdb::Status::IOError("power cut");
    const bool this_one = is_log(path) && good_syncs_ >= 0 && good_syncs_-- == 0;
    if (is_log(path) && (this_one || fault_ == Fault::kSyncFails))
      return rocksdb::Status::IOError("input/output error");
    return rocksdb::Status::OK();
  }

  void synced(const std::string& path, uint64_t size) {
    const std::lock_guard lock(mutex_);
    synced_[path] = std::max(synced_[path], size);
    if (is_log(path)) ++syncs_;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, uint64_t>
      synced_;                  // guarded by mutex_; bytes of each file that a power cut leaves
  Fault fault_ = Fault::kNone;  // guarded by mutex_
  ReadFault read_fault_ = ReadFault::kNone;              // guarded by mutex_
  std::function<bool(const std::string& path)> broken_;  // guarded by mutex_
  int good_syncs_ = -1;           // guarded by mutex_; before the one that fails; -1 when none does
  bool lose_at_open_ = false;     // guarded by mutex_
  std::chrono::seconds ahead_{};  // guarded by mutex_
  bool sizes_hidden_ = false;     // guarded by mutex_
  bool holding_ = false;          // guarded by mutex_
  int held_ = 0;                  // guarded by mutex_
  int syncs_ = 0;                 // guarded by mutex_
};

}  // namespace eventhorn::store
