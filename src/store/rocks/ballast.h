// A file that is given back to the disk when it is full, so that progress can still be written, and
// made again when there is space.
#pragma once

#include "base/mutex.h"
#include "base/time.h"

#include <cstdint>
#include <filesystem>
#include <functional>

namespace eventhorn::store {

/// Thread-safe.
class Ballast {
 public:
  /// `free_bytes` tells the free space of the disk; `clock` must outlive this.
  Ballast(std::filesystem::path path, uint64_t bytes, std::function<uint64_t()> free_bytes,
          const Clock& clock);

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
  const Clock& clock_;
  Mutex mutex_;
  bool there_ GUARDED_BY(mutex_) = false;
  SteadyTime not_before_ GUARDED_BY(mutex_);
};

}  // namespace eventhorn::store
