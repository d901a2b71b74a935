// Looks over the endpoints of a core about once a second: counts them for the metrics, finds those
// that became throttled, forgets those that are idle and well, and wakes lanes that were held
// because too many events of others waited for a retry.
#pragma once

#include "async/timer.h"
#include "base/metrics.h"
#include "control/deliveries.h"
#include "delivery/endpoints.h"
#include "delivery/lanes.h"
#include "delivery/operator.h"
#include "delivery/retry_book.h"
#include "delivery/saver.h"
#include "delivery/scheduler.h"
#include "delivery/transitions.h"

#include <array>

namespace eventhorn::delivery {

/// Owned by the engine; run() is one of its loops, on the core's executor.
///
/// Invariant: no endpoint is forgotten that has a lane, a worker, a row to write, or a state that
/// is not active.
class Sweep {
 public:
  /// What it works with; everything outlives it.
  struct Parts {
    const Clock& clock;
    Endpoints& endpoints;
    Lanes& lanes;
    Saver& saver;
    RetryBook& retries;
    Scheduler& scheduler;
    Transitions& transitions;
    const Operator& operators;
  };

  Sweep(asio::any_io_executor executor, Parts parts);

  /// Until it is cancelled; very many endpoints are looked over less often.
  Task<void> run();

  /// Once. Lets the core do other work now and then.
  Task<void> sweep();

 private:
  using Counts = std::array<size_t, 5>;  // by control::EndpointState

  struct Meters {
    Meters();
    std::array<metrics::Gauge, 5> endpoints;  // by control::EndpointState
    metrics::Gauge replays;
  };

  void wake_held();
  void count_replays();
  void count(const Counts& counts);

  const Parts parts_;
  Timer timer_;
  Counts counted_{};
  size_t counted_replays_ = 0;
  Meters meters_;
};

}  // namespace eventhorn::delivery
