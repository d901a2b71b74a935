// Extra header fields of deliveries: those that users configure for a URL, and those that an
// attempt makes from its event. None of them may change what the request is (reliability S11, S12).
#pragma once

#include "base/result.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace eventhorn::webhook {

inline constexpr size_t kMaxCustomHeaders = 32;
/// Of all custom headers of a URL as they are sent: "name: value\r\n".
inline constexpr size_t kMaxCustomHeaderBytes = 4096;

using Header = std::pair<std::string, std::string>;

/// OK when a user may have this field sent. kInvalidArgument otherwise, naming the field and the
/// rule, never the value:
/// - the name must be a token (RFC 9110 section 5.6.2), the value printable ASCII without space at
///   its ends; an empty value is allowed;
/// - what frames the request or is ours can't be set: Host, Content-*, Transfer-Encoding,
///   Connection, Expect, TE, Trailer, Upgrade, Keep-Alive, Proxy-*, User-Agent (there is
///   delivery.user_agent), webhook-*, X-Mailgun-*, Eventhorn-*.
Status check_custom_header(std::string_view name, std::string_view value);

/// check_custom_header() of each, no name twice, at most kMaxCustomHeaders and
/// kMaxCustomHeaderBytes.
Status check_custom_headers(std::span<const Header> headers);

/// Appends "name: value\r\n". A byte of the value that is not printable ASCII becomes %XX, so that
/// no event can add a field of its own. `name` is ours, or checked.
void append_header(std::string& out, std::string_view name, std::string_view value);

}  // namespace eventhorn::webhook
