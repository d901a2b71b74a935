// Housekeeping by the kept clock: watches it, and drops what is older than the retention, or is the
// oldest of more bytes than may be kept.
#pragma once

#include "async/pool.h"
#include "async/task.h"
#include "base/metrics.h"
#include "control/notices.h"
#include "store/event_log.h"
#include "store/upkeep.h"

#include <functional>

namespace eventhorn::control {

/// How long things are kept, from their commit by the kept clock.
struct RetentionOptions {
  std::chrono::milliseconds events{};
  std::chrono::milliseconds attempts{};
  /// Of the log on the disk; when it is more, the oldest events go sooner. 0: no limit.
  uint64_t bytes = 0;
};

class Retention {
 public:
  /// Tells lanes that everything up to the position is gone.
  using Expired = std::function<Task<void>(Position last)>;

  /// All must outlive run(). The store's reads and writes run on `pool`.
  Retention(const RetentionOptions& options, store::EventLog& log, store::Upkeep& store,
            NoticeBoard& notices, const Clock& clock, Pool& pool, Expired expired);

  /// How long a wall clock that is ahead is watched before the kept clock believes it: an hour, or
  /// a quarter of the retention of events where that is less.
  static std::chrono::milliseconds clock_hold(std::chrono::milliseconds events);

  /// Between two looks at what is too old: 1/24 of the retention of events, at least a second and
  /// at most an hour.
  static std::chrono::milliseconds interval(std::chrono::milliseconds events);

  /// Until it is cancelled. The first look at the log comes after an interval.
  Task<void> run();

 private:
  void watch_clock();
  Task<void> expire();
  Result<Position> drop();
  std::chrono::milliseconds between_looks() const;

  const RetentionOptions options_;
  store::EventLog& log_;
  store::Upkeep& store_;
  NoticeBoard& notices_;
  const Clock& clock_;
  Pool& pool_;
  const Expired expired_;
  metrics::Gauge ahead_gauge_;
  metrics::Counter runs_;
};

}  // namespace eventhorn::control
