// Housekeeping by the kept clock: watches it, and drops what is older than the retention.
#pragma once

#include "async/pool.h"
#include "base/metrics.h"
#include "config/config.h"
#include "control/notices.h"
#include "store/event_log.h"
#include "store/upkeep.h"

#include <functional>

namespace eventhorn::app {

class Retention {
 public:
  /// Tells lanes that everything up to the position is gone.
  using Expired = std::function<Task<void>(Position last)>;

  /// All must outlive run(). The store's reads and writes run on `pool`.
  Retention(const config::Config& config, store::EventLog& log, store::Upkeep& store,
            control::NoticeBoard& notices, const Clock& clock, Pool& pool, Expired expired);

  /// How long a wall clock that is ahead is watched before the kept clock believes it: an hour, or
  /// a quarter of the retention where that is less.
  static std::chrono::milliseconds clock_hold(const config::Config& config);

  /// Until it is cancelled.
  Task<void> run();

 private:
  void watch_clock();
  Task<void> expire();

  const config::Config& config_;
  store::EventLog& log_;
  store::Upkeep& store_;
  control::NoticeBoard& notices_;
  const Clock& clock_;
  Pool& pool_;
  const Expired expired_;
  metrics::Gauge ahead_gauge_;
  metrics::Counter runs_;
};

}  // namespace eventhorn::app
