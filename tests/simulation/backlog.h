// What the store counts and what operators list of lanes and endpoints, beside what is so.
#pragma once

#include "control/deliveries.h"
#include "simulation/model.h"
#include "store/store.h"

#include <optional>
#include <set>
#include <string>

namespace eventhorn::simulation {

/// Of the log only, up to what was handed over. `counted` is what the store says. What is wrong;
/// nullopt when nothing is.
std::optional<std::string> check_count(const Model& model, const store::LaneQuery& query,
                                       const store::EventCount& counted);

/// Whether an operator sees of a lane what is unsettled of it, no less and no more.
class LaneView {
 public:
  /// Before the operator asks.
  LaneView(const Model& model, store::DomainPtr domain, store::LaneConfig lane);

  /// It was answered, and the exceptions of the lane were read then. What is wrong; nullopt when
  /// nothing is.
  std::optional<std::string> check(const control::LaneStatus& status,
                                   const std::set<Position>& exceptions) const;

  /// What is unsettled of one of its segments, as counted by the store.
  std::optional<std::string> check_segment(const store::SegmentRow& segment, Position through,
                                           const store::EventCount& unsettled) const;

  /// What the store is to count for it.
  store::LaneQuery query(const store::SegmentRow& segment, Position through) const;

  const store::LaneConfig& lane() const { return lane_; }

 private:
  std::optional<std::string> check_event(const Model::Event& event,
                                         const control::LaneStatus& status, bool exception) const;

  const Model& model_;
  const store::DomainPtr domain_;
  const store::LaneConfig lane_;
  const store::Since since_;
  const SteadyTime asked_;
  const size_t life_;
};

/// Of the endpoint of a URL. `paused_before`: what the model said before the operator asked.
std::optional<std::string> check_endpoint(const Model& model, const control::EndpointStatus& status,
                                          std::optional<SteadyTime> paused_before);

}  // namespace eventhorn::simulation
