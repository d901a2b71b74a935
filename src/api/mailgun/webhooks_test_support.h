// What the tests of the calls about webhooks share.
#pragma once

#include "api/api_test_support.h"

#include <string>

namespace eventhorn::api::testing {

/// Why an address is refused.
inline constexpr const char* kGuardText =
    "target address is not allowed (see delivery.allow_networks)";

/// The answer to a call that is refused: validation errors have both keys.
inline std::string refusal(const std::string& text) {
  return "400 {\"message\":\"" + text + "\",\"Reason\":\"" + text + "\"}\n";
}

/// The same for a URL that no webhook may have.
inline std::string invalid_url(const std::string& url, const std::string& reason) {
  return refusal(url + " is not a valid url: " + reason);
}

}  // namespace eventhorn::api::testing
