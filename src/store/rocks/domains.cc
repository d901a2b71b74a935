#include "store/rocks/domains.h"

#include <map>
#include <utility>

namespace eventhorn::store {

Status Domains::load() {
  std::unordered_map<std::string, DomainPtr> domains;
  const auto take = [&](DomainPtr domain) { domains.emplace(domain->name, std::move(domain)); };
  TRY_STATUS(table_.scan(take));
  const MutexLock lock(mutex_);
  domains_ = std::move(domains);
  return {};
}

std::vector<DomainPtr> Domains::all() const {
  std::vector<DomainPtr> out;
  const MutexLock lock(mutex_);
  out.reserve(domains_.size());
  for (const auto& [name, domain] : domains_) out.push_back(domain);
  return out;
}

void Domains::run(std::vector<WriteSet::Edit>& edits, uint64_t& next,
                  rocksdb::WriteBatch& batch) const {
  std::map<std::string, DomainPtr> changed;
  for (auto& edit : edits) {
    const auto known = domains_.find(edit.name);
    const DomainPtr before = changed.contains(edit.name) ? changed[edit.name]
                             : known == domains_.end()   ? nullptr
                                                         : known->second;
    const Position at{next};
    next += kEditStride;
    auto after = edit.edit(before, at);
    if (!after) {
      edit.outcome = fail(std::move(after).error());
      continue;
    }
    if (*after) {
      table_.put(edit.name, **after, batch);
    } else {
      table_.remove(edit.name, batch);
    }
    changed[edit.name] = *after;
    edit.outcome = DomainChange{at, before, *after};
  }
}

void Domains::publish(const std::vector<WriteSet::Edit>& edits) {
  if (edits.empty()) return;
  const MutexLock lock(mutex_);
  for (const auto& edit : edits) {
    if (!edit.outcome) continue;
    if (edit.outcome->after) {
      domains_[edit.name] = edit.outcome->after;
    } else {
      domains_.erase(edit.name);
    }
  }
}

}  // namespace eventhorn::store
