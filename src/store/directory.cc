#include "store/directory.h"

#include <algorithm>

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

std::vector<DomainPtr> Directory::all() const {
  std::vector<DomainPtr> out;
  {
    const std::shared_lock lock(mutex_);
    out.reserve(domains_.size());
    for (const auto& [name, domain] : domains_) out.push_back(domain);
  }
  std::sort(out.begin(), out.end(),
            [](const DomainPtr& a, const DomainPtr& b) { return a->name < b->name; });
  return out;
}

void Directory::apply(const std::string& name, const DomainChange& change) {
  const std::unique_lock lock(mutex_);
  if (change.before) uids_.erase(change.before->uid);
  if (change.after) {
    domains_[name] = change.after;
    uids_.insert(change.after->uid);
  } else {
    domains_.erase(name);
  }
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
