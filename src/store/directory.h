// The domains as of the last durable edit, for readers on every thread, with what is looked up in
// them. Written by the feed only.
#pragma once

#include "store/endpoint_id.h"
#include "store/model.h"

#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace eventhorn::store {

class Directory {
 public:
  /// Null when there is none. `name` is lower case.
  DomainPtr find(const std::string& name) const {
    const std::shared_lock lock(mutex_);
    const auto it = domains_.find(name);
    return it == domains_.end() ? nullptr : it->second;
  }

  /// Null when no domain with this uid lives.
  DomainPtr find(DomainUid uid) const {
    const std::shared_lock lock(mutex_);
    const auto it = uids_.find(uid);
    return it == uids_.end() ? nullptr : it->second;
  }

  /// The domain that has the lane; null when none has.
  DomainPtr find(LaneId lane) const;

  bool has(DomainUid uid) const { return find(uid) != nullptr; }

  /// Of all domains, in order.
  std::vector<DomainUid> uids() const;

  /// All domains, by name: a copy of as many pointers.
  std::vector<DomainPtr> all() const;

  size_t size() const {
    const std::shared_lock lock(mutex_);
    return domains_.size();
  }

  /// At most `limit` domains, by name, without the first `skip`: which it counts one by one, so not
  /// for a core.
  std::vector<DomainPtr> page(size_t skip, size_t limit) const;

  /// The lanes with ids after `after`, by id, at most `limit`, with their domains. `url` not empty:
  /// those that name it, for which all are looked at.
  std::vector<std::pair<LaneId, DomainPtr>> lanes(LaneId after, size_t limit,
                                                  std::string_view url = {}) const;

  /// URLs that lanes name with ids after `after` (nullopt: all), by id, at most `limit`.
  std::vector<std::pair<EndpointId, std::string>> endpoints(std::optional<EndpointId> after,
                                                            size_t limit) const;

  /// The URL with this id, if a lane names it.
  std::optional<std::string> url_of(EndpointId id) const;

  void apply(const std::string& name, const DomainChange& change);

  /// Makes the directory hold exactly `domains`; returns what differed, as changes at `at`.
  std::vector<DomainChange> replace_all(const std::vector<DomainPtr>& domains, Position at);

 private:
  struct Named {
    std::string url;
    size_t lanes = 0;
  };

  void remove(const Domain& domain);
  void add(const DomainPtr& domain);

  // All guarded by mutex_.
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, DomainPtr> domains_;
  std::map<std::string_view, DomainPtr> by_name_;  // the names are the domains'
  std::unordered_map<DomainUid, DomainPtr> uids_;
  std::map<LaneId, DomainPtr> lanes_;
  std::map<EndpointId, Named> endpoints_;
};

}  // namespace eventhorn::store
