// An attempt that has its place.
#pragma once

#include "delivery/engine.h"

#include <utility>

namespace eventhorn::delivery {

/// Owns a place of the core and of the host, a worker of the endpoint, and a job of a lane. Its end
/// releases them, whatever it comes from; a job of which nobody has decided what becomes of it is
/// given back. Lives on the engine's core, and no longer than the engine.
class Engine::Attempt {
 public:
  Attempt(Engine& engine, EndpointPtr endpoint, LanePtr lane, Job job, Standing standing)
      : endpoint_(std::move(endpoint)),
        lane_(std::move(lane)),
        job_(std::move(job)),
        engine_(&engine),
        standing_(standing) {}

  ~Attempt() {
    if (engine_ == nullptr) return;
    if (!decided_) engine_->abandon(lane_, job_);
    engine_->release(*endpoint_, standing_);
  }

  Attempt(Attempt&& other) noexcept
      : endpoint_(std::move(other.endpoint_)),
        lane_(std::move(other.lane_)),
        job_(std::move(other.job_)),
        engine_(std::exchange(other.engine_, nullptr)),
        standing_(other.standing_),
        decided_(other.decided_) {}

  Attempt& operator=(Attempt&&) = delete;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  const EndpointPtr& endpoint() const { return endpoint_; }

  const LanePtr& lane() const { return lane_; }

  Job& job() { return job_; }

  /// What becomes of the job is somebody else's from here on.
  void decide() { decided_ = true; }

 private:
  EndpointPtr endpoint_;
  LanePtr lane_;
  Job job_;
  Engine* engine_;
  Standing standing_;
  bool decided_ = false;
};

}  // namespace eventhorn::delivery
