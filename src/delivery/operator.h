// What operators see of one core's delivery and ask of it: control::Deliveries, as far as its URLs
// live here.
#pragma once

#include "control/deliveries.h"
#include "delivery/endpoints.h"
#include "delivery/lanes.h"
#include "delivery/recent.h"
#include "delivery/retry_book.h"
#include "delivery/router.h"
#include "delivery/saver.h"
#include "delivery/scheduler.h"
#include "delivery/transitions.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::delivery {

/// Owned by the engine; every member runs on the core's executor. Lists let the core do other work
/// between their steps. What is asked for is answered once it is written: kUnavailable when the
/// store does not take it in time, and then it is written later.
class Operator {
 public:
  /// What it works with; everything outlives it.
  struct Parts {
    const Clock& clock;
    const Router& router;
    Endpoints& endpoints;
    Lanes& lanes;
    Saver& saver;
    RetryBook& retries;
    Scheduler& scheduler;
    Transitions& transitions;
    RecentSuccesses& recent;
  };

  /// `max_waiting`: events of a lane that may wait for an attempt.
  Operator(Parts parts, size_t max_waiting) : parts_(parts), max_waiting_(max_waiting) {}

  // What they see.
  Task<std::vector<control::EndpointStatus>> endpoints(std::optional<store::EndpointId> after,
                                                       size_t limit,
                                                       std::optional<control::EndpointState> state);
  Task<std::vector<control::EndpointStatus>> endpoints_of(std::vector<std::string> urls);
  control::EndpointStatus endpoint(const std::string& url) const;
  control::EndpointState state_of(const Endpoint& endpoint) const;
  Task<std::vector<control::LaneStatus>> lanes(std::vector<LaneId> ids);
  Task<std::vector<control::LaneStatus>> lanes_of(std::string url);
  Task<std::vector<control::LaneStatus>> replaying();
  /// With everything that was decided before the call in the store.
  Task<control::LaneStatus> lane(LaneId id, DomainUid domain, std::string url);

  std::vector<store::AttemptRow> recent_successes(const std::string& url) const {
    return parts_.recent.of(url);
  }

  // What they ask for.
  Task<Status> pause(std::string url);
  Task<Status> resume(std::string url);
  /// A webhook names the URL: one that is gone is wanted back.
  Task<void> configured(std::string url);
  void settings_changed(const std::string& url, const store::EndpointSettings& settings,
                        uint64_t version);
  /// kNotFound: the webhook was removed; kRateLimited: too many replays.
  Task<Status> add_segments(LaneId id, DomainUid domain, std::vector<store::SegmentRow> segments);
  /// kNotFound: the webhook was removed; kRateLimited: too many wait for an attempt.
  Task<Status> attempt_again(LaneId id, std::vector<EventPtr> events);
  Task<Result<bool>> forget_events(DomainUid domain, Position through,
                                   std::function<bool(std::string_view)> mentions);
  Task<Status> change_replay(uint64_t replay, control::ReplayAction action);

 private:
  control::EndpointStatus status_of(const Endpoint& endpoint) const;
  control::LaneStatus status_of(const Lane& lane) const;
  Task<std::vector<control::LaneStatus>> statuses(std::vector<LanePtr> lanes);
  void touch(const LanePtr& lane);

  const Parts parts_;
  const size_t max_waiting_;
};

}  // namespace eventhorn::delivery
