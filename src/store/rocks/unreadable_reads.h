// Reads that failed and cost only themselves: counted, and told in the log every ten seconds at
// most.
#pragma once

#include "base/metrics.h"
#include "base/time.h"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>

namespace eventhorn::store {

/// Any thread.
class UnreadableReads {
 public:
  /// `data` is the data directory. `clock` must outlive this.
  UnreadableReads(std::filesystem::path data, const Clock& clock);

  /// `what` could not be read: "an event id".
  void note(const char* what, const std::string& error);

 private:
  const std::filesystem::path data_;
  const Clock& clock_;
  metrics::Counter counted_;
  std::atomic<int64_t> told_s_{std::numeric_limits<int64_t>::min()};  // when it was last told
};

}  // namespace eventhorn::store
