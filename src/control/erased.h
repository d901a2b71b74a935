// Which addresses were erased, and when: what ingest asks. The addresses themselves are not kept,
// only an HMAC of each. Any thread, once it is shared: it does not change any more then.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "crypto/hash.h"
#include "event/event.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::control {

/// Names an address of a domain. Half of an HMAC-SHA256: two addresses never share one.
using AddressMark = std::array<uint8_t, 16>;

AddressMark mark_of(const crypto::HmacKey& key, DomainUid domain, std::string_view address);

class Erased {
 public:
  explicit Erased(const crypto::HmacKey& key) : key_(key) {}

  /// When an address that the event has was erased, if the event is not later than that.
  std::optional<SystemTime> refuses(DomainUid domain, const event::Event& event) const;

  /// One more address, or a later time of it. Before it is shared.
  void add(DomainUid domain, const AddressMark& mark, SystemTime at);

  /// The same and add(). Copies what there is of the domain.
  std::shared_ptr<const Erased> with(DomainUid domain, const AddressMark& mark,
                                     SystemTime at) const;

  /// Counts up with each add().
  uint64_t number() const { return number_; }

 private:
  struct OfDomain {
    SystemTime latest{};
    std::map<AddressMark, SystemTime> at{};
  };

  const crypto::HmacKey& key_;
  std::map<DomainUid, std::shared_ptr<OfDomain>> domains_;
  uint64_t number_ = 0;
};

}  // namespace eventhorn::control
