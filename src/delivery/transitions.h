// What a change of an endpoint's state means: who is told, what is written, what lanes let go of,
// and what goes on. The state itself is Health's.
//
//   parked, gone, paused   lanes let go of what waits in memory; the log has it
//   returned               retries are brought forward, spread over the slow start
#pragma once

#include "control/notices.h"
#include "delivery/endpoint.h"
#include "delivery/retry_book.h"
#include "delivery/router.h"
#include "delivery/saver.h"
#include "delivery/scheduler.h"

#include <string>

namespace eventhorn::delivery {

struct TransitionsOptions {
  webhook::RetrySchedule schedule;
  double retry_jitter = 0.1;  // of schedules that a domain has of its own
  std::chrono::milliseconds slow_start{10'000};
};

/// Owned by the engine; on the core's executor.
///
/// Invariant: an endpoint that is not active holds no event in memory but what is under way.
class Transitions {
 public:
  /// What it works with; everything outlives it.
  struct Parts {
    const Clock& clock;
    const Router& router;
    Saver& saver;
    RetryBook& retries;
    Scheduler& scheduler;
    control::NoticeBoard& notices;
  };

  Transitions(Parts parts, TransitionsOptions options);

  /// Health has changed; nothing for Change::kNone.
  void on_change(const EndpointPtr& endpoint, Health::Change change, const std::string& reason);

  /// Its operator pauses it.
  void pause(const EndpointPtr& endpoint);

  /// No domain names the URL any more: its next life begins well.
  void end(const EndpointPtr& endpoint);

  /// The sweep found it throttled, or no longer so.
  void on_throttled(Endpoint& endpoint);

  /// While the endpoint of the lane cannot be sent to, the lane lets go of what waits in memory.
  /// Called again with each attempt that ends, because its event may have come back.
  void unload(const LanePtr& lane);

  /// How events of the lane are tried again: by the settings of the URL, the domain, or all.
  webhook::RetrySchedule schedule_of(const Lane& lane) const;

  void tell(const Endpoint& endpoint, control::NoticeKind kind, control::Notice notice);
  /// With the name of the lane's domain.
  void tell(const Lane& lane, control::NoticeKind kind, control::Notice notice);

 private:
  void spill(Endpoint& endpoint);
  void retime(Endpoint& endpoint);

  const Parts parts_;
  const TransitionsOptions options_;
};

}  // namespace eventhorn::delivery
