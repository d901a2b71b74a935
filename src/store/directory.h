// The domains as of the last durable edit, for readers on every thread. Written by the commit queue
// only.
#pragma once

#include "store/model.h"

#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
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

  /// All domains, by name.
  std::vector<DomainPtr> all() const;

  /// True while a domain with this uid lives.
  bool has(DomainUid uid) const {
    const std::shared_lock lock(mutex_);
    return uids_.contains(uid);
  }

  void apply(const std::string& name, const DomainChange& change);

  /// Makes the directory hold exactly `domains`; returns what differed, as changes at `at`.
  std::vector<DomainChange> replace_all(const std::vector<DomainPtr>& domains, Position at);

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, DomainPtr> domains_;  // guarded by mutex_
  std::unordered_set<DomainUid> uids_;                  // guarded by mutex_
};

}  // namespace eventhorn::store
