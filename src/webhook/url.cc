#include "webhook/url.h"

#include "base/strings.h"
#include "net/address.h"

#include <algorithm>
#include <vector>

namespace eventhorn::webhook {
namespace {

// The blocked ports of the Fetch standard, section "Port blocking", in order: protocols that would
// take a request's lines for commands of their own.
constexpr auto kBlockedPorts = std::to_array<uint16_t>(
    {1,    7,    9,    11,   13,   15,   17,   19,   20,   21,   22,   23,   25,   37,
     42,   43,   53,   69,   77,   79,   87,   95,   101,  102,  103,  104,  109,  110,
     111,  113,  115,  117,  119,  123,  135,  137,  139,  143,  161,  179,  389,  427,
     465,  512,  513,  514,  515,  526,  530,  531,  532,  540,  548,  554,  556,  563,
     587,  601,  636,  989,  990,  993,  995,  1719, 1720, 1723, 2049, 3659, 4045, 4190,
     5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080});
static_assert(std::ranges::is_sorted(kBlockedPorts));

constexpr std::string_view kDigits = "0123456789";

tl::unexpected<Error> refuse(std::string reason) {
  return fail(Errc::kInvalidArgument, std::move(reason));
}

std::string lower_scheme(std::string_view text) {
  const auto colon = text.find(':');
  return colon == std::string_view::npos ? std::string() : to_lower(text.substr(0, colon));
}

Result<UserInfo> parse_user_info(std::string_view text) {
  const auto colon = text.find(':');
  const auto user = percent_decode(text.substr(0, colon), false);
  const auto password = percent_decode(
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1), false);
  if (text.find('@') != std::string_view::npos || !user || !password ||
      user->find(':') != std::string::npos || std::ranges::any_of(*user, is_control) ||
      std::ranges::any_of(*password, is_control)) {
    return refuse("invalid user name or password");
  }
  return UserInfo{*user, *password};
}

// One part of an IPv4 address as inet_aton(3) reads it: 0x1f, 037 or 31.
std::optional<uint64_t> parse_ipv4_part(std::string_view part) {
  int base = 10;
  if (part.starts_with("0x")) {
    base = 16;
    part.remove_prefix(2);
  } else if (part.size() > 1 && part.starts_with('0')) {
    base = 8;
  }
  if (part.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char c : part) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
    if (digit >= base) return std::nullopt;
    value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
    if (value > UINT32_MAX) return std::nullopt;
  }
  return value;
}

// All parts but the last are one byte each; the last fills the bytes that remain.
std::optional<uint32_t> parse_any_ipv4(const std::vector<std::string_view>& parts) {
  if (parts.size() > 4) return std::nullopt;
  uint64_t address = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto value = parse_ipv4_part(parts[i]);
    const bool last = i + 1 == parts.size();
    const size_t bits = last ? 8 * (5 - parts.size()) : 8;
    if (!value || *value >> bits != 0) return std::nullopt;
    address = address << bits | *value;
  }
  return static_cast<uint32_t>(address);
}

// No top-level domain is a number, and resolvers disagree about such names.
bool looks_like_ipv4(std::string_view last_label) {
  return last_label.starts_with("0x") ||
         last_label.find_first_not_of(kDigits) == std::string_view::npos;
}

// `text` is lower case and printable ASCII.
Result<std::string> parse_name_or_ipv4(std::string text) {
  constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  if (text.ends_with('.')) text.pop_back();
  if (text.empty()) return refuse("missing host");
  if (text.find('%') != std::string::npos) return refuse("host must not be percent-encoded");
  if (text.size() > 253 || text.find_first_not_of(kNameCharacters) != std::string::npos) {
    return refuse("invalid host name");
  }
  const auto labels = split(text, '.');
  for (const std::string_view label : labels) {
    if (label.empty() || label.size() > 63) return refuse("invalid host name");
  }
  if (!looks_like_ipv4(labels.back())) return text;
  const auto address = parse_any_ipv4(labels);
  if (!address) return refuse("invalid IPv4 address");
  return net::IpAddress::v4({static_cast<uint8_t>(*address >> 24),
                             static_cast<uint8_t>(*address >> 16),
                             static_cast<uint8_t>(*address >> 8), static_cast<uint8_t>(*address)})
      .to_string();
}

Result<std::string> parse_ipv6(const std::string& text) {
  if (text.find('%') != std::string::npos) return refuse("IPv6 zones are not allowed");
  const auto address = net::IpAddress::parse(text);
  if (!address || address->is_v4()) return refuse("invalid IPv6 address");
  return address->to_string();
}

Result<uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.size() > 6 ||
      text.find_first_not_of(kDigits) != std::string_view::npos) {
    return refuse("invalid port");
  }
  const uint64_t port = parse_uint(text).value_or(0);
  if (port == 0 || port > 65535) return refuse("invalid port " + std::to_string(port));
  if (std::ranges::binary_search(kBlockedPorts, port)) {
    return refuse("port " + std::to_string(port) + " is not allowed");
  }
  return static_cast<uint16_t>(port);
}

// host[:port] or [v6][:port].
Status parse_host_port(std::string_view text, TargetUrl& url) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return refuse("invalid IPv6 address");
    TRY(url.host, parse_ipv6(to_lower(text.substr(1, end - 1))));
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return refuse("invalid port");
  } else {
    const auto colon = std::min(text.find(':'), text.size());
    TRY(url.host, parse_name_or_ipv4(to_lower(text.substr(0, colon))));
    port = text.substr(colon);
  }
  if (port.empty()) return {};
  TRY(url.port, parse_port(port.substr(1)));
  return {};
}

Status check_characters(std::string_view text) {
  if (text.empty()) return refuse("empty URL");
  if (text.size() > kMaxUrlBytes) {
    return refuse("longer than " + std::to_string(kMaxUrlBytes) + " bytes");
  }
  if (std::ranges::any_of(text, [](char c) { return c == ' ' || is_control(c); })) {
    return refuse("spaces and control characters are not allowed");
  }
  if (text.find('\\') != std::string_view::npos) return refuse("backslashes are not allowed");
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return refuse("not ASCII: use the punycode form of the host and percent-encoding elsewhere");
  }
  return {};
}

}  // namespace

std::string_view to_string(Scheme scheme) {
  return scheme == Scheme::kHttp ? "http" : "https";
}

Result<TargetUrl> parse_target_url(std::string_view text) {
  TRY_STATUS(check_characters(text));
  TargetUrl url;
  url.text = text;
  const std::string scheme = lower_scheme(text);
  if (scheme != "http" && scheme != "https") return refuse("invalid URL scheme");
  if (!text.substr(scheme.size()).starts_with("://")) {
    return refuse("missing // after the scheme");
  }
  url.scheme = scheme == "http" ? Scheme::kHttp : Scheme::kHttps;
  url.port = scheme == "http" ? 80 : 443;

  const size_t begin = scheme.size() + 3;
  const size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  std::string_view authority = text.substr(begin, end - begin);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    TRY(url.user_info, parse_user_info(authority.substr(0, at)));
    authority.remove_prefix(at + 1);
  }
  TRY_STATUS(parse_host_port(authority, url));

  const std::string_view target = text.substr(end, text.find('#', end) - end);
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

std::string masked(std::string_view url) {
  const auto slashes = url.find("://");
  const size_t begin = slashes < url.find('@') ? slashes + 3 : 0;
  // In a text that is no URL the password itself may hold the '/' or '#' that seems to end the
  // authority.
  const size_t end = parse_target_url(url) ? url.find_first_of("/?#", begin) : url.size();
  const std::string_view authority = url.substr(begin, end - begin);
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return std::string(url);
  const auto colon = authority.substr(0, at).find(':');
  const size_t secret = begin + (colon == std::string_view::npos ? 0 : colon + 1);
  return std::string(url.substr(0, secret)).append("***").append(url.substr(begin + at));
}

}  // namespace eventhorn::webhook
