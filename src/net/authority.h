// "host[:port]" as it stands in URLs, Host fields and settings. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::net {

struct Authority {
  /// Lower case without a final dot. An IP address in its one spelling, without brackets, an
  /// IPv4-mapped one as IPv4.
  std::string name;
  std::optional<uint16_t> port;
  bool is_ip = false;

  /// With the port, if there is one, and an IPv6 address in brackets.
  std::string to_string() const;
};

/// nullopt unless `text` is a host name of letters, digits, '-', '.' and '_', an IPv4 address or an
/// IPv6 address in brackets, with an optional port from 1 to 65535, 255 bytes at most.
std::optional<Authority> parse_authority(std::string_view text);

/// The authority of "http(s)://authority[/...]"; nullopt for everything else, such as "null".
std::optional<Authority> authority_of_url(std::string_view url);

/// The one spelling of an IP address, IPv4-mapped IPv6 as IPv4; nullopt when `text` is none.
std::optional<std::string> canonical_ip(std::string_view text);

}  // namespace eventhorn::net
