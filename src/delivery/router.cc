#include "delivery/router.h"

#include "base/check.h"

#include <algorithm>

namespace eventhorn::delivery {

bool Router::owns(const std::string& url) const {
  return slots_.contains(store::slot_of(url));
}

void Router::add(const store::DomainPtr& domain) {
  Routes routes{domain};
  for (const webhook::Hook hook : webhook::kAllHooks) {
    const auto index = static_cast<size_t>(hook);
    for (const auto& sub : domain->hooks[index]) {
      const auto* lane = domain->find_lane(sub.lane);
      CHECK(lane != nullptr);
      if (owns(lane->url)) routes.all.push_back({sub.lane, sub.since, &lane->url});
    }
    routes.begins[index + 1] = static_cast<uint8_t>(routes.all.size());
  }
  if (routes.all.empty()) {
    domains_.erase(domain->uid);
  } else {
    routes.all.shrink_to_fit();
    domains_.insert_or_assign(domain->uid, std::move(routes));
  }
}

std::vector<Router::LaneChange> Router::apply(const store::DomainChange& change) {
  if (change.before && (!change.after || change.after->uid != change.before->uid))
    domains_.erase(change.before->uid);
  if (change.after) add(change.after);
  std::vector<LaneChange> lanes;
  if (!change.before) return lanes;
  for (const auto& lane : change.before->lanes) {
    if (!owns(lane.url)) continue;
    const bool ended = !change.after || change.after->find_lane(lane.id) == nullptr;
    lanes.push_back({lane.id, ended});
  }
  return lanes;
}

Router::Match Router::match(DomainUid domain, webhook::Hook hook) const {
  const auto it = domains_.find(domain);
  if (it == domains_.end()) return {};
  return {it->second.domain.get(), it->second.of(hook)};
}

const store::Domain* Router::find(DomainUid domain) const {
  const auto it = domains_.find(domain);
  return it == domains_.end() ? nullptr : it->second.domain.get();
}

const std::string* Router::url_of(DomainUid domain, LaneId lane) const {
  const auto* known = find(domain);
  const auto* config = known == nullptr ? nullptr : known->find_lane(lane);
  return config != nullptr && owns(config->url) ? &config->url : nullptr;
}

bool Router::names(const std::string& url) const {
  return std::ranges::any_of(domains_, [&](const auto& entry) {
    return std::ranges::any_of(entry.second.domain->lanes,
                               [&](const auto& lane) { return lane.url == url; });
  });
}

void Router::handed_over(Position through) {
  CHECK(through >= through_);
  through_ = through;
}

void Router::check_invariants() const {
  for (const auto& [uid, routes] : domains_) {
    CHECK(routes.domain->uid == uid);
    CHECK(!routes.all.empty() && routes.begins.back() == routes.all.size());
    CHECK(std::ranges::is_sorted(routes.begins));
    for (const auto& route : routes.all) {
      const auto* lane = routes.domain->find_lane(route.lane);
      CHECK(lane != nullptr && &lane->url == route.url && owns(lane->url));
    }
  }
}

}  // namespace eventhorn::delivery
