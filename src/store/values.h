// Values kept beside the domains, by key: keys, secrets, counters.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// Values by key; nullopt removes one.
using ValueChanges = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// Any thread.
class Values {
 public:
  virtual ~Values() = default;

  /// nullopt when there is none.
  virtual Result<std::optional<std::string>> load_value(const std::string& key) = 0;
  /// Durable when it returns.
  virtual Status save_value(const std::string& key, const std::string& value) = 0;
  /// Durable when it returns; OK when there was none.
  virtual Status remove_value(const std::string& key) = 0;
  /// Sets values, and removes those without one, all or none of them. They outlive the process when
  /// it returns, and a power cut or Upkeep::recover() once anything later is durable.
  virtual Status save_values(const ValueChanges& changes) = 0;
  /// All values whose keys begin with `prefix`, by key.
  virtual Result<std::vector<std::pair<std::string, std::string>>> load_values(
      const std::string& prefix) = 0;
};

}  // namespace eventhorn::store
