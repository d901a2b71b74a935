// An endpoint: one URL with its health, its settings and the lanes that point to it. Lives on one
// core.
#pragma once

#include "delivery/budget.h"
#include "delivery/health.h"
#include "delivery/lane.h"
#include "delivery/sender.h"
#include "store/endpoint_id.h"
#include "webhook/retry_schedule.h"
#include "webhook/standard.h"

#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace eventhorn::delivery {

/// Something that happens so often, smoothed over about ten seconds.
class Rate {
 public:
  void count(SteadyTime now) {
    per_second_ = at(now) + 1 / kWindow;
    last_ = now;
  }

  /// When it last happened, however long ago.
  double last() const { return per_second_; }

  double at(SteadyTime now) const {
    return per_second_ * std::exp(-std::chrono::duration<double>(now - last_).count() / kWindow);
  }

 private:
  static constexpr double kWindow = 10;  // seconds
  double per_second_ = 0;
  SteadyTime last_{};
};

/// Places for attempts, and the endpoints that wait for one, by their standing.
struct Places {
  explicit Places(size_t count) : budget(count) {}

  Budget budget;
  std::array<std::deque<std::weak_ptr<Endpoint>>, 3> queues;
};

struct Endpoint : std::enable_shared_from_this<Endpoint> {
  Endpoint(std::string u, const HealthOptions& options)
      : url(std::move(u)), id(store::endpoint_id(url)), health(options) {}

  /// What is known when it asks for a place.
  Standing standing(SteadyTime now) const {
    constexpr std::chrono::seconds kStuck{1};
    // Nothing has come back for a while: it may hang.
    if (workers > 0 && now - last_sign > kStuck) return Standing::kSuspect;
    if (health.well()) return Standing::kWell;
    return health.unknown() ? Standing::kUnknown : Standing::kSuspect;
  }

  /// What is kept of it; nullopt while it is active.
  std::optional<store::EndpointRow> row() const {
    if (health.state() == Health::State::kActive) return std::nullopt;
    return store::EndpointRow{.url = url,
                              .state = health.state(),
                              .since = since,
                              .last_success = last_success.value_or(SystemTime{}),
                              .last_failure = last_failure.value_or(SystemTime{}),
                              .failures = health.failures_in_row(),
                              .probes = health.probes(),
                              .healthy_peak = health.healthy_peak(),
                              .reason = reason};
  }

  std::string url;
  store::EndpointId id;
  Health health;
  store::EndpointSettings settings;
  std::optional<webhook::RetrySchedule> schedule;  // of its own
  std::vector<webhook::StandardSecret> secrets;    // sign the Standard Webhooks fields
  std::shared_ptr<Sender::Target> target;
  std::shared_ptr<Places> host;  // those of all URLs of its host and port

  std::unordered_map<LaneId, std::shared_ptr<Lane>> lanes;  // all that have something unsettled
  /// Lanes that may have something to send, each once, served in turn.
  std::deque<std::shared_ptr<Lane>> ring;
  size_t waiting = 0;           // retries of all lanes
  size_t unreadable_lanes = 0;  // that cannot read the log,
  std::string read_error;       // and why, of the last
  size_t workers = 0;
  bool in_queue = false;                // of the core's places or of its host's
  SteadyTime wake = SteadyTime::max();  // the earliest one that is set

  SteadyTime last_sign{};  // an outcome, or the start of the first of the attempts under way
  SteadyTime used{};
  bool missing = false;  // a miss was told, and nothing has got through since
  SteadyTime noticed_miss = SteadyTime::min();
  Rate rate;  // of events settled
  SaveMark saving;

  // For people.
  SystemTime since;
  std::optional<SystemTime> throttled_since;  // as the last sweep saw it
  std::string reason;
  std::optional<SystemTime> last_success, last_failure;
};

using EndpointPtr = std::shared_ptr<Endpoint>;
using LanePtr = std::shared_ptr<Lane>;

}  // namespace eventhorn::delivery
