// Positions of the log as clients hold them: an opaque text that names a place in one generation of
// the log. It is the same for every domain and for the account: a place in the one log of all. It
// is neither signed nor bound to a domain, because it gives nothing: whoever may read a domain's
// events may read them from any place on. Pure.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "http/message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::api {

struct NamedPosition {
  uint64_t generation = 0;
  Position position;
  friend bool operator==(const NamedPosition&, const NamedPosition&) = default;
};

/// 23 characters of base64url.
std::string format_position(const NamedPosition& named);

/// kInvalidArgument, naming the parameter, for everything that format_position() does not give.
Result<NamedPosition> parse_position(std::string_view name, std::string_view text);

/// Adds X-Eventhorn-Position and X-Eventhorn-Complete-Until, the latter if it is known.
void add_position(http::Response& response, const NamedPosition& named,
                  std::optional<SystemTime> complete_until);

}  // namespace eventhorn::api
