// An endpoint: one URL with its health, its settings and the lanes that point to it. Lives on one
// core. State only: who may send is the Scheduler's to say, and what an outcome means Outcomes'.
//
//   ring: lanes that may have something to send, served in turn
//   workers: attempts under way, each of which goes on with the next job of the ring
//
// Invariants: a lane stands in the ring once; a lane in the ring is one of lanes(), or has ended.
#pragma once

#include "base/check.h"
#include "delivery/budget.h"
#include "delivery/health.h"
#include "delivery/lane.h"
#include "delivery/marks.h"
#include "delivery/sender.h"
#include "store/endpoint_id.h"
#include "webhook/retry_schedule.h"
#include "webhook/standard.h"

#include <array>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace eventhorn::delivery {

using LanePtr = std::shared_ptr<Lane>;
using EndpointPtr = std::shared_ptr<Endpoint>;

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

/// Lanes that may have something to send, each once, in turn.
class Ring {
 public:
  bool empty() const { return lanes_.empty(); }

  size_t size() const { return lanes_.size(); }

  /// At the end, unless it stands in the ring.
  void push(const LanePtr& lane) {
    if (!std::exchange(lane->ringing.in_ring_, true)) lanes_.push_back(lane);
  }

  LanePtr pop() {
    CHECK(!lanes_.empty());
    auto lane = std::move(lanes_.front());
    lanes_.pop_front();
    lane->ringing.in_ring_ = false;
    return lane;
  }

 private:
  std::deque<LanePtr> lanes_;
};

/// Attempts of an endpoint under way.
class Workers {
 public:
  size_t count() const { return count_; }

  void start(SteadyTime now) {
    if (count_++ == 0) last_sign_ = now;
  }

  void end() {
    CHECK(count_ > 0);
    --count_;
  }

  /// Something has come back.
  void sign(SteadyTime now) { last_sign_ = now; }

  /// Nothing has come back for a while: it may hang.
  bool stuck(SteadyTime now) const { return count_ > 0 && now - last_sign_ > kStuck; }

 private:
  static constexpr std::chrono::seconds kStuck{1};
  size_t count_ = 0;
  SteadyTime last_sign_{};  // or the start of the first of those under way
};

/// Which misses people are told of: the first since something got through, at most one a minute.
class MissNotices {
 public:
  bool take(SteadyTime now) {
    const bool lately = told_ && now - *told_ < kBetween;
    if (lately || std::exchange(missing_, true)) return false;
    told_ = now;
    return true;
  }

  void got_through() { missing_ = false; }

 private:
  static constexpr std::chrono::minutes kBetween{1};
  bool missing_ = false;  // a miss was told, and nothing has got through since
  std::optional<SteadyTime> told_;
};

/// What people see of an endpoint.
struct Story {
  SystemTime since;  // its state
  std::string reason;
  std::optional<SystemTime> throttled_since;  // as the last sweep saw it
  std::optional<SystemTime> last_success, last_failure;
  Rate rate;  // of events settled
};

/// How its attempts are sent and tried again, by its settings.
struct Sending {
  std::optional<webhook::RetrySchedule> schedule;  // of its own
  std::vector<webhook::StandardSecret> secrets;    // sign the Standard Webhooks fields
  std::shared_ptr<Sender::Target> target;
};

class Endpoint : public std::enable_shared_from_this<Endpoint> {
 public:
  /// `host`: the places of all URLs of its host and port.
  Endpoint(std::string url, const HealthOptions& options, std::shared_ptr<Places> host = nullptr)
      : url_(std::move(url)),
        id_(store::endpoint_id(url_)),
        health_(options),
        host_(std::move(host)) {}

  const std::string& url() const { return url_; }

  store::EndpointId id() const { return id_; }

  Health& health() { return health_; }

  const Health& health() const { return health_; }

  /// True while lanes may have events in memory for it.
  bool active() const { return health_.state() == Health::State::kActive; }

  const Sending& sending() const { return sending_; }

  void set(Sending sending, const HealthOptions& options) {
    sending_ = std::move(sending);
    health_.set_options(options);
  }

  Places& host() const { return *host_; }

  /// Lanes that have something unsettled.
  const std::unordered_map<LaneId, LanePtr>& lanes() const { return lanes_; }

  void add(const LanePtr& lane) {
    lane->endpoint = this;
    lanes_.emplace(lane->id(), lane);
  }

  void remove(LaneId lane) { lanes_.erase(lane); }

  Ring& ring() { return ring_; }

  const Ring& ring() const { return ring_; }

  Workers& workers() { return workers_; }

  const Workers& workers() const { return workers_; }

  Story& story() { return story_; }

  const Story& story() const { return story_; }

  MissNotices& misses() { return misses_; }

  /// What is known when it asks for a place.
  Standing standing(SteadyTime now) const {
    if (workers_.stuck(now)) return Standing::kSuspect;
    if (health_.well()) return Standing::kWell;
    return health_.unknown() ? Standing::kUnknown : Standing::kSuspect;
  }

  /// An attempt starts, or its URL is named.
  void touch(SteadyTime now) { used_ = now; }

  /// It is well and has had nothing to do since the time: nothing of it need be kept.
  bool idle_since(SteadyTime time) const {
    return active() && lanes_.empty() && workers_.count() == 0 && used_ < time;
  }

  /// What is kept of it; nullopt while it is active.
  std::optional<store::EndpointRow> row() const;
  /// Takes up the row that an earlier process left.
  void load(const store::EndpointRow& row, SteadyTime now, double jitter);

  SaveMark saving;
  RetryMark retries;
  UnreadableMark unreadable;
  QueueMark queueing;

 private:
  const std::string url_;
  const store::EndpointId id_;
  Health health_;
  Sending sending_;
  const std::shared_ptr<Places> host_;
  std::unordered_map<LaneId, LanePtr> lanes_;
  Ring ring_;
  Workers workers_;
  SteadyTime used_{};
  Story story_;
  MissNotices misses_;
};

}  // namespace eventhorn::delivery
