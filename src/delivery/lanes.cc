#include "delivery/lanes.h"

#include <algorithm>

namespace eventhorn::delivery {

const LanePtr& Lanes::of(const store::Domain& domain, LaneId id, const std::string& url) {
  auto& lane = lanes_[id];
  if (!lane) {
    lane = std::make_shared<Lane>(id, domain.uid, url);
    lane->subscribe(domain.since(id));
    endpoints_.of(url)->add(lane);
  }
  return lane;
}

LanePtr Lanes::find_or_make(LaneId id, DomainUid domain) {
  const auto* url = router_.url_of(domain, id);
  return url == nullptr ? nullptr : of(*router_.find(domain), id, *url);
}

LanePtr Lanes::find(LaneId id) const {
  const auto it = lanes_.find(id);
  return it == lanes_.end() ? nullptr : it->second;
}

std::vector<LanePtr> Lanes::all() const {
  std::vector<LanePtr> out;
  out.reserve(lanes_.size());
  for (const auto& [id, lane] : lanes_) out.push_back(lane);
  return out;
}

void Lanes::forget(const LanePtr& lane) {
  CHECK(!lane->ended);
  lane->ended = true;
  lane->endpoint->remove(lane->id());
  lanes_.erase(lane->id());
}

void Lanes::check_invariants() const {
  for (const auto& [id, lane] : lanes_) {
    CHECK(lane->id() == id && !lane->ended && lane->endpoint != nullptr);
    CHECK(lane->endpoint->url() == lane->url());
    CHECK(lane->endpoint->lanes().at(id) == lane);
    lane->check_invariants();
  }
}

std::vector<LanePtr> Lanes::replaying() {
  std::vector<LanePtr> out;
  std::erase_if(replaying_, [&](LaneId id) {
    auto lane = find(id);
    if (!lane || std::ranges::none_of(lane->segments(), is_replaying)) return true;
    out.push_back(std::move(lane));
    return false;
  });
  return out;
}

}  // namespace eventhorn::delivery
