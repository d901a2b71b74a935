// The URL of a webhook, as configured and as used for a request. Stricter than a browser: what two
// programs could read in two ways is refused (reliability S2, S9, S11). Whether the host may be
// reached is not decided here: the address guard (net/address.h) judges the addresses that the
// host stands for.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::webhook {

inline constexpr size_t kMaxUrlBytes = 2048;

enum class Scheme : uint8_t { kHttp, kHttps };

std::string_view to_string(Scheme scheme);  // "http", "https"

/// Sent as Basic credentials (RFC 7617). Both percent-decoded, without control characters.
struct UserInfo {
  std::string user;  // without ':'
  std::string password;
  friend bool operator==(const UserInfo&, const UserInfo&) = default;
};

struct TargetUrl {
  Scheme scheme = Scheme::kHttps;
  /// One spelling for each host: a lower-case ASCII name without final dot, or an IP address in its
  /// usual form, IPv6 without brackets. net::IpAddress::parse(host) succeeds exactly when the URL
  /// named an address, in any spelling that inet_aton(3) reads: "127.1", "0x7f000001",
  /// "2130706433", "0177.0.0.1".
  std::string host;
  uint16_t port = 443;
  /// Path and query as given, for the request line: begins with '/', printable ASCII only, no
  /// fragment.
  std::string target = "/";
  std::optional<UserInfo> user_info;
  /// The whole text as given.
  std::string text;
};

/// kInvalidArgument with the bare reason ("invalid URL scheme", "invalid port", "port 25 is not
/// allowed", ...), which api/ puts behind "<url> is not a valid url: " (spec: Mailgun, webhook
/// errors). Reasons repeat no part of the URL but the port's number.
///
/// Refused: schemes other than http and https; more than kMaxUrlBytes; space, control characters
/// and backslash anywhere; non-ASCII characters (a host must be given in its punycode form, a path
/// percent-encoded); an empty host, '%' in it, empty or over-long labels, IPv6 zones, names whose
/// last label is a number but which are no IPv4 address; port 0, above 65535, or on the blocked
/// list of the Fetch standard ("port blocking": SMTP, SSH, IRC, ...). A fragment is accepted and
/// not sent.
Result<TargetUrl> parse_target_url(std::string_view text);

/// For logs, metrics, lists and errors: the password replaced by "***", or the user name when there
/// is no password (then it is the secret). Works for any text; one that is no valid URL is masked
/// more broadly (reliability S10).
std::string masked(std::string_view url);

}  // namespace eventhorn::webhook
