#include "store/directory.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace eventhorn::store {
namespace {

bool same(const Domain& a, const Domain& b) {
  if (a.uid != b.uid || a.retry_schedule != b.retry_schedule) return false;
  for (size_t i = 0; i < a.hooks.size(); ++i) {
    const auto equal = [](const Subscription& x, const Subscription& y) {
      return x.lane == y.lane && x.since == y.since;
    };
    if (!std::equal(a.hooks[i].begin(), a.hooks[i].end(), b.hooks[i].begin(), b.hooks[i].end(),
                    equal))
      return false;
  }
  return true;
}

}  // namespace

DomainPtr Directory::find(LaneId lane) const {
  const std::shared_lock lock(mutex_);
  const auto it = lanes_.find(lane);
  return it == lanes_.end() ? nullptr : it->second;
}

std::vector<DomainUid> Directory::uids() const {
  std::vector<DomainUid> out;
  {
    const std::shared_lock lock(mutex_);
    out.reserve(uids_.size());
    for (const auto& [uid, domain] : uids_) out.push_back(uid);
  }
  std::ranges::sort(out);
  return out;
}

std::vector<DomainPtr> Directory::all() const {
  return page(0, SIZE_MAX);
}

std::vector<DomainPtr> Directory::page(size_t skip, size_t limit) const {
  const std::shared_lock lock(mutex_);
  std::vector<DomainPtr> out;
  const size_t first = std::min(skip, by_name_.size());
  out.reserve(std::min(limit, by_name_.size() - first));
  auto it = std::next(by_name_.begin(), static_cast<std::ptrdiff_t>(first));
  for (; it != by_name_.end() && out.size() < limit; ++it) out.push_back(it->second);
  return out;
}

std::vector<std::pair<LaneId, DomainPtr>> Directory::lanes(LaneId after, size_t limit,
                                                           std::string_view url) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::pair<LaneId, DomainPtr>> out;
  for (auto it = lanes_.upper_bound(after); it != lanes_.end() && out.size() < limit; ++it) {
    if (url.empty() || it->second->find_lane(it->first)->url == url) out.push_back(*it);
  }
  return out;
}

std::vector<std::pair<EndpointId, std::string>> Directory::endpoints(
    std::optional<EndpointId> after, size_t limit) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::pair<EndpointId, std::string>> out;
  auto it = after ? endpoints_.upper_bound(*after) : endpoints_.begin();
  for (; it != endpoints_.end() && out.size() < limit; ++it)
    out.emplace_back(it->first, it->second.url);
  return out;
}

std::optional<std::string> Directory::url_of(EndpointId id) const {
  const std::shared_lock lock(mutex_);
  const auto it = endpoints_.find(id);
  return it == endpoints_.end() ? std::nullopt : std::optional(it->second.url);
}

void Directory::remove(const Domain& domain) {
  by_name_.erase(domain.name);
  domains_.erase(domain.name);
  uids_.erase(domain.uid);
  for (const auto& lane : domain.lanes) {
    lanes_.erase(lane.id);
    const auto named = endpoints_.find(endpoint_id(lane.url));
    if (--named->second.lanes == 0) endpoints_.erase(named);
  }
}

void Directory::add(const DomainPtr& domain) {
  domains_[domain->name] = domain;
  by_name_.emplace(domain->name, domain);
  uids_.emplace(domain->uid, domain);
  for (const auto& lane : domain->lanes) {
    lanes_.emplace(lane.id, domain);
    auto& named = endpoints_[endpoint_id(lane.url)];
    named.url = lane.url;
    ++named.lanes;
  }
}

void Directory::apply(const std::string& name, const DomainChange& change) {
  const std::unique_lock lock(mutex_);
  // What is here decides what goes, whatever the change was made from.
  if (const auto known = domains_.find(name); known != domains_.end()) {
    const DomainPtr before = known->second;
    remove(*before);
  }
  if (change.after) add(change.after);
}

std::vector<DomainChange> Directory::replace_all(const std::vector<DomainPtr>& domains,
                                                 Position at) {
  std::unordered_map<std::string, DomainPtr> now;
  for (const auto& d : domains) now.emplace(d->name, d);
  std::vector<DomainChange> changes;
  for (const auto& d : all()) {
    const auto it = now.find(d->name);
    if (it == now.end()) {
      changes.push_back({at, d, nullptr});
    } else if (!same(*it->second, *d)) {
      changes.push_back({at, d, it->second});
    }
  }
  for (const auto& d : domains) {
    if (!find(d->name)) changes.push_back({at, nullptr, d});
  }
  for (const auto& change : changes)
    apply(change.after ? change.after->name : change.before->name, change);
  return changes;
}

}  // namespace eventhorn::store
