#include "control/erased.h"

#include "event/erasure.h"

#include <algorithm>

namespace eventhorn::control {

AddressMark mark_of(const crypto::HmacKey& key, DomainUid domain, std::string_view address) {
  const std::string uid = std::to_string(domain.value);
  const auto digest = key.sign({"erased", "\n", uid, "\n", address});
  AddressMark out{};
  std::copy_n(digest.begin(), out.size(), out.begin());
  return out;
}

std::optional<SystemTime> Erased::refuses(DomainUid domain, const event::Event& event) const {
  const auto found = domains_.find(domain);
  if (found == domains_.end()) return std::nullopt;
  const auto& of_domain = *found->second;
  const SystemTime time = from_micros(event.timestamp_us);
  if (time > of_domain.latest) return std::nullopt;
  std::optional<SystemTime> out;
  event::for_each_address_of(event, [&](std::string_view address) {
    const auto erased = of_domain.at.find(mark_of(key_, domain, address));
    if (erased != of_domain.at.end() && time <= erased->second) out = erased->second;
  });
  return out;
}

void Erased::add(DomainUid domain, const AddressMark& mark, SystemTime at) {
  auto& of_domain = domains_[domain];
  if (!of_domain) of_domain = std::make_shared<OfDomain>();
  of_domain->latest = std::max(of_domain->latest, at);
  auto& time = of_domain->at[mark];
  time = std::max(time, at);
  ++number_;
}

std::shared_ptr<const Erased> Erased::with(DomainUid domain, const AddressMark& mark,
                                           SystemTime at) const {
  auto out = std::make_shared<Erased>(*this);
  auto& of_domain = out->domains_[domain];
  if (of_domain) of_domain = std::make_shared<OfDomain>(*of_domain);
  out->add(domain, mark, at);
  return out;
}

}  // namespace eventhorn::control
