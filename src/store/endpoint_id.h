// The short name of a URL: the first 8 bytes of its SHA-256, in the API as 16 hex digits.
#pragma once

#include "base/ids.h"

#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::store {

using EndpointId = Id<struct EndpointTag>;

inline constexpr size_t kEndpointIdDigits = 16;

EndpointId endpoint_id(std::string_view url);

/// In lower case.
std::string to_text(EndpointId id);

/// Takes either case; nullopt for anything but 16 hex digits.
std::optional<EndpointId> parse_endpoint_id(std::string_view text);

}  // namespace eventhorn::store
