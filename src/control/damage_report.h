// Tells operators which events of the log are damaged, when a page has found them. Thread-safe.
#pragma once

#include "base/metrics.h"
#include "base/time.h"
#include "control/notices.h"

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

namespace eventhorn::control {

/// One notice, one line of log and one count for each event, however many pages come upon it.
class DamageReport {
 public:
  /// Events that are told by themselves in the life of a process; a store with more of them needs
  /// repair, and the notices of those say so.
  static constexpr size_t kMaxEvents = 1000;

  /// Both outlive the report.
  DamageReport(NoticeBoard& board, const Clock& clock);

  /// `ids` of `domain`, as store::PageSlice::damaged gives them.
  void add(const std::string& domain, const std::vector<std::string>& ids);

 private:
  NoticeBoard& board_;
  const Clock& clock_;
  metrics::Counter events_;
  std::mutex mutex_;
  std::unordered_set<std::string> told_;  // guarded by mutex_; "domain/id"
};

}  // namespace eventhorn::control
