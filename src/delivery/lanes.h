// The lanes of a core that have something unsettled. A lane that is settled is forgotten, and made
// again for its next event.
#pragma once

#include "delivery/endpoints.h"
#include "delivery/lane.h"
#include "delivery/router.h"

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace eventhorn::delivery {

/// Owned by the engine; on the core's executor.
///
/// Invariant: a lane that has not ended stands here, and with its endpoint; one that has ended
/// stands in neither.
class Lanes {
 public:
  /// Both outlive it.
  Lanes(const Router& router, Endpoints& endpoints) : router_(router), endpoints_(endpoints) {}

  /// The lane of a domain, with its URL; made when there is none.
  const LanePtr& of(const store::Domain& domain, LaneId id, const std::string& url);

  /// As of(); null when the webhook was removed, or lives on another core.
  LanePtr find_or_make(LaneId id, DomainUid domain);

  /// Null when there is none.
  LanePtr find(LaneId id) const;

  /// Those that are there now.
  std::vector<LanePtr> all() const;

  /// The lane ends.
  void forget(const LanePtr& lane);

  /// A replay of the lane has begun.
  void begin_replay(LaneId lane) { replaying_.insert(lane); }

  /// Those with a replay that is not done.
  std::vector<LanePtr> replaying();

  void check_invariants() const;

 private:
  const Router& router_;
  Endpoints& endpoints_;
  std::unordered_map<LaneId, LanePtr> lanes_;
  std::set<LaneId> replaying_;  // of lanes_; some may be done, which replaying() finds
};

}  // namespace eventhorn::delivery
