// An attempt that has its place.
#pragma once

#include "delivery/endpoint.h"
#include "delivery/lane.h"

#include <utility>

namespace eventhorn::delivery {

class Scheduler;

/// A place of the core and of the host, and a worker of the endpoint. Its end frees all three.
/// Lives on the core's executor, and no longer than the scheduler.
class Place {
 public:
  /// The scheduler's: use Scheduler::next().
  Place(Scheduler& scheduler, EndpointPtr endpoint, Standing standing)
      : scheduler_(&scheduler), endpoint_(std::move(endpoint)), standing_(standing) {}

  ~Place();

  Place(Place&& other) noexcept
      : scheduler_(std::exchange(other.scheduler_, nullptr)),
        endpoint_(std::move(other.endpoint_)),
        standing_(other.standing_) {}

  Place& operator=(Place&&) = delete;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  const EndpointPtr& endpoint() const { return endpoint_; }

 private:
  friend class Attempt;

  Scheduler* scheduler_;  // null once moved from
  EndpointPtr endpoint_;
  Standing standing_;
};

/// A place with a job of a lane. Its end gives the job back unless decide() was called before,
/// because then an exception ended it, or the process is being stopped.
class Attempt {
 public:
  Attempt(Place place, LanePtr lane, Job job)
      : place_(std::move(place)), lane_(std::move(lane)), job_(std::move(job)) {}

  ~Attempt();

  Attempt(Attempt&& other) noexcept = default;
  Attempt& operator=(Attempt&&) = delete;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  const EndpointPtr& endpoint() const { return place_.endpoint(); }

  const LanePtr& lane() const { return lane_; }

  Job& job() { return job_; }

  /// The caller settles the job or gives it back from here on.
  void decide() { decided_ = true; }

 private:
  Place place_;
  LanePtr lane_;
  Job job_;
  bool decided_ = false;
};

}  // namespace eventhorn::delivery
