#include "store/doorbells.h"

#include <utility>

namespace eventhorn::store {

Doorbells::Doorbells(Feed& feed) {
  feed.subscribe([this](const BatchPtr& batch) { ring(*batch); });
}

Doorbells::Place::Place(Doorbells& doorbells, std::optional<DomainUid> domain,
                        std::shared_ptr<Bell> bell)
    : doorbells_(doorbells), domain_(domain), bell_(std::move(bell)) {
  const std::lock_guard lock(doorbells_.mutex_);
  (domain_ ? doorbells_.by_domain_[*domain_] : doorbells_.of_all_).insert(bell_);
  ++doorbells_.places_;
}

Doorbells::Place::~Place() {
  const std::lock_guard lock(doorbells_.mutex_);
  --doorbells_.places_;
  if (!domain_) {
    doorbells_.of_all_.erase(bell_);
    return;
  }
  const auto at = doorbells_.by_domain_.find(*domain_);
  at->second.erase(bell_);
  if (at->second.empty()) doorbells_.by_domain_.erase(at);
}

// Who takes a place behind the look at `places_` reads the store after that, and so sees what was
// committed before.
void Doorbells::ring(const CommittedBatch& batch) {
  if (places_ == 0) return;
  const std::lock_guard lock(mutex_);
  for (const auto& bell : of_all_) bell->ring();
  if (by_domain_.empty()) return;
  const auto ring_at = [&](DomainUid domain) {
    const auto at = by_domain_.find(domain);
    if (at == by_domain_.end()) return;
    for (const auto& bell : at->second) bell->ring();
  };
  DomainUid last{};
  for (const auto& event : batch.events) {
    if (std::exchange(last, event->domain) != event->domain) ring_at(event->domain);
  }
  for (const auto& change : batch.changes) {
    if (change.before) ring_at(change.before->uid);
  }
}

void Doorbells::ring_all() {
  const std::lock_guard lock(mutex_);
  for (const auto& bell : of_all_) bell->ring();
  for (const auto& [domain, bells] : by_domain_)
    for (const auto& bell : bells) bell->ring();
}

}  // namespace eventhorn::store
