// A file that is given back to the disk when it is full, so that progress can still be written, and
// made again when there is space.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>

namespace eventhorn::store {

/// Thread-safe.
class Ballast {
 public:
  /// `free_bytes` tells the free space of the disk.
  Ballast(std::filesystem::path path, uint64_t bytes, std::function<uint64_t()> free_bytes);

  /// Makes the file when it is missing and four times its size is free. Cheap when there is nothing
  /// to do; when the disk refuses it, tried again after ten seconds.
  void keep();
  /// Removes the file when less than its size is free.
  void yield();
  /// Removes the file: under a quota the disk looks free and refuses to be written.
  void give_up();

 private:
  const std::filesystem::path path_;
  const uint64_t bytes_;
  const std::function<uint64_t()> free_bytes_;
  std::mutex mutex_;
  bool there_ = false;                                // guarded by mutex_
  std::chrono::steady_clock::time_point not_before_;  // guarded by mutex_
};

}  // namespace eventhorn::store
