// The domains as the store keeps them; store/directory.h holds them for readers.
#pragma once

#include "base/result.h"
#include "store/model.h"

#include <vector>

namespace eventhorn::store {

class DomainStore {
 public:
  virtual ~DomainStore() = default;

  /// All of them, as of the last visible edit, in no order.
  virtual Result<std::vector<DomainPtr>> load_domains() = 0;
};

}  // namespace eventhorn::store
