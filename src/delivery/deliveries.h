// control::Deliveries over the engines of all cores.
#pragma once

#include "control/deliveries.h"
#include "delivery/engine.h"

#include <vector>

namespace eventhorn::delivery {

/// The engines must outlive it, and their cores must run while it is used.
class EngineDeliveries final : public control::Deliveries {
 public:
  /// One engine for each core. Call before any other member.
  void add(Engine& engine) { engines_.push_back(&engine); }

  Task<std::vector<control::EndpointStatus>> endpoints(
      std::optional<store::EndpointId> after, size_t limit,
      std::optional<control::EndpointState> state) override;
  Task<std::vector<control::EndpointStatus>> endpoints_of(std::vector<std::string> urls) override;
  Task<control::EndpointStatus> endpoint(std::string url) override;
  Task<std::vector<control::LaneStatus>> lanes(std::vector<LaneId> ids) override;
  Task<std::vector<control::LaneStatus>> lanes_of(std::string url) override;
  Task<std::vector<control::LaneStatus>> replaying() override;
  Task<control::LaneStatus> lane(LaneId lane, DomainUid domain, std::string url) override;
  Task<std::vector<store::AttemptRow>> recent_successes(std::string url) override;
  Task<Status> pause(std::string url) override;
  Task<Status> resume(std::string url) override;
  Task<void> configured(std::string url) override;
  Task<void> settings_changed(std::string url, store::EndpointSettings settings,
                              uint64_t version) override;
  Task<Status> add_segments(LaneId lane, DomainUid domain, std::string url,
                            std::vector<store::SegmentRow> segments) override;
  Task<Status> attempt_again(LaneId lane, std::string url,
                             std::vector<store::EventPtr> events) override;
  Task<Result<bool>> forget_events(DomainUid domain, Position through,
                                   std::function<bool(std::string_view)> mentions) override;
  Task<Status> change_replay(uint64_t replay, control::ReplayAction action) override;

 private:
  Engine& owner(const std::string& url) const;

  std::vector<Engine*> engines_;
};

}  // namespace eventhorn::delivery
