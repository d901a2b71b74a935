#include "net/authority.h"

#include "base/strings.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace eventhorn::net {
namespace {

constexpr size_t kMaxHost = 255;  // RFC 1035 section 2.3.4

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

}  // namespace

std::optional<std::string> canonical_ip(std::string_view text) {
  const std::string address(text);
  std::array<char, INET6_ADDRSTRLEN> out{};
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1 && address.find('\0') == std::string::npos)
    return inet_ntop(AF_INET, &v4, out.data(), out.size());
  if (address.find('\0') != std::string::npos) return std::nullopt;
  if (inet_pton(AF_INET6, address.c_str(), &v6) != 1) return std::nullopt;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return inet_ntop(AF_INET, &v6.s6_addr[12], out.data(), out.size());
  return inet_ntop(AF_INET6, &v6, out.data(), out.size());
}

std::string Authority::to_string() const {
  std::string out = name.find(':') == std::string::npos ? name : "[" + name + "]";
  if (port) out += ":" + std::to_string(*port);
  return out;
}

std::optional<Authority> parse_authority(std::string_view text) {
  if (text.empty() || text.size() > kMaxHost) return std::nullopt;
  Authority out;
  std::string_view rest;
  if (text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    auto ip = canonical_ip(text.substr(1, close - 1));
    if (!ip) return std::nullopt;
    out.name = std::move(*ip);
    out.is_ip = true;
    rest = text.substr(close + 1);
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    out.name = to_lower(text.substr(0, colon));
    if (!out.name.empty() && out.name.back() == '.') out.name.pop_back();
    if (out.name.empty() || !std::all_of(out.name.begin(), out.name.end(), is_host_char))
      return std::nullopt;
    out.is_ip = canonical_ip(out.name).has_value();
    rest = text.substr(colon);
  }
  if (rest.empty()) return out;
  const auto port = parse_uint(rest.substr(1));
  if (rest.front() != ':' || !port || *port == 0 || *port > 65535) return std::nullopt;
  out.port = static_cast<uint16_t>(*port);
  return out;
}

std::optional<Authority> authority_of_url(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equals_ignore_case(url.substr(0, scheme.size()), scheme)) continue;
    url.remove_prefix(scheme.size());
    return parse_authority(url.substr(0, url.find('/')));
  }
  return std::nullopt;
}

}  // namespace eventhorn::net
