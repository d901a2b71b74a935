// Where the API meets the delivery engines: what lanes and endpoints are doing now, and what an
// operator may ask of them. Implemented by delivery/, used by api/; values only.
//
// Every member may be called from any core; it runs on the core of the URL and answers on the
// caller's.
#pragma once

#include "async/task.h"
#include "base/result.h"
#include "store/endpoint_id.h"
#include "store/model.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::control {

enum class EndpointState : uint8_t { kActive, kThrottled, kParked, kGone, kPaused };

/// "active", "throttled", "parked", "gone", "paused".
std::string_view to_string(EndpointState state);

/// What is unsettled of a lane, as of `through`: an event up to there that is in no segment (or is
/// in one's settled ranges), and has no exception row, is settled.
struct LaneStatus {
  LaneId id;
  DomainUid domain;
  std::string url;
  std::vector<store::SegmentRow> segments;
  Position through;
  size_t waiting = 0;  // for a retry
  size_t in_flight = 0;
  bool throttled = false;  // so many wait that the segments are held
  std::string read_error;  // why the log cannot be read on; empty while it can
};

struct EndpointStatus {
  store::EndpointId id;
  std::string url;
  EndpointState state = EndpointState::kActive;
  std::string reason;               // empty while active
  std::optional<SystemTime> since;  // when the state began, where known
  std::optional<SystemTime> last_success;
  std::optional<SystemTime> last_failure;
  /// Of a probe, or what Retry-After or the rate limit allows.
  std::optional<SystemTime> next_attempt;
  uint32_t failures_in_row = 0;
  size_t in_flight = 0;
  size_t concurrency = 0;  // the limit now
  size_t waiting = 0;      // for a retry, all lanes
  size_t lanes = 0;        // with something unsettled
  double rate = 0;         // events settled per second, over the last seconds
  double pace = 0;         // the same when it was last busy; 0 while nothing can be sent
};

/// Segments of replays in one lane, so that nobody can make a lane of any size.
inline constexpr size_t kMaxReplaySegments = 16;

enum class ReplayAction : uint8_t { kPause, kResume, kCancel };

class Deliveries {
 public:
  virtual ~Deliveries() = default;

  // Lists come in pages, and no core works on one for long without looking after its own.

  /// Endpoints that have something unsettled, or are not active, or were used a short while ago:
  /// those with ids after `after` (nullopt: all), by id, at most `limit`; of one state when given.
  /// An endpoint that is not listed is active and idle.
  virtual Task<std::vector<EndpointStatus>> endpoints(std::optional<store::EndpointId> after,
                                                      size_t limit,
                                                      std::optional<EndpointState> state) = 0;
  /// Of each URL, in the same order.
  virtual Task<std::vector<EndpointStatus>> endpoints_of(std::vector<std::string> urls) = 0;
  virtual Task<EndpointStatus> endpoint(std::string url) = 0;

  /// Of those among `ids` that have something unsettled, in any order.
  virtual Task<std::vector<LaneStatus>> lanes(std::vector<LaneId> ids) = 0;
  /// Lanes of a URL with something unsettled.
  virtual Task<std::vector<LaneStatus>> lanes_of(std::string url) = 0;
  /// Lanes that have segments of replays.
  virtual Task<std::vector<LaneStatus>> replaying() = 0;
  /// One lane, after everything decided so far is readable in the store.
  virtual Task<LaneStatus> lane(LaneId lane, DomainUid domain, std::string url) = 0;

  /// The last successes of a URL in full, newest first: at most 100, since the process began, as
  /// far as memory allows.
  virtual Task<std::vector<store::AttemptRow>> recent_successes(std::string url) = 0;

  /// No attempts until resume(). Survives a restart.
  virtual Task<Status> pause(std::string url) = 0;
  /// Ends paused, parked and gone; sends under slow start.
  virtual Task<Status> resume(std::string url) = 0;
  /// A webhook was set for the URL, whatever it named before: ends gone.
  virtual Task<void> configured(std::string url) = 0;
  /// `version` grows with every change of any URL's settings; one that comes late changes nothing.
  virtual Task<void> settings_changed(std::string url, store::EndpointSettings settings,
                                      uint64_t version) = 0;

  /// Adds a replay's segments to a lane; answers after they are saved. kNotFound when the lane is
  /// no more; kRateLimited when it has kMaxReplaySegments already.
  virtual Task<Status> add_segments(LaneId lane, DomainUid domain, std::string url,
                                    std::vector<store::SegmentRow> segments) = 0;
  /// Attempts these events anew, now, whatever became of them; answers after it is saved.
  virtual Task<Status> attempt_again(LaneId lane, std::string url,
                                     std::vector<store::EventPtr> events) = 0;
  /// Events of the domain up to `through` were changed in the store: lanes send nothing of what
  /// they had read of them before; what is shown of attempts loses texts that satisfy `mentions`.
  /// Attempts that are under way end as they will: true when there are some. What was decided
  /// before is readable in the store when this returns.
  virtual Task<Result<bool>> forget_events(DomainUid domain, Position through,
                                           std::function<bool(std::string_view)> mentions) = 0;

  /// On all lanes; answers after it is saved.
  virtual Task<Status> change_replay(uint64_t replay, ReplayAction action) = 0;
};

}  // namespace eventhorn::control
