#include "net/address.h"

#include "base/check.h"
#include "base/strings.h"

#include <algorithm>
#include <arpa/inet.h>

namespace eventhorn::net {
namespace {

struct V4Range {
  std::array<uint8_t, 4> network;
  size_t prefix;
  AddressClass kind;
};

struct V6Range {
  std::array<uint8_t, 16> network;
  size_t prefix;
  AddressClass kind;
};

using enum AddressClass;

// IANA IPv4 Special-Purpose Address Registry, without the blocks it marks globally reachable.
constexpr V4Range kV4Ranges[] = {
    {{0, 0, 0, 0}, 8, kThisNetwork},
    {{10, 0, 0, 0}, 8, kPrivate},
    {{100, 64, 0, 0}, 10, kShared},
    {{127, 0, 0, 0}, 8, kLoopback},
    {{168, 63, 129, 16}, 32, kPrivate},  // not in the registry: Azure's platform services, from
                                         // inside only
    {{169, 254, 0, 0}, 16, kLinkLocal},
    {{172, 16, 0, 0}, 12, kPrivate},
    {{192, 0, 0, 0}, 24, kReserved},
    {{192, 0, 2, 0}, 24, kDocumentation},
    {{192, 88, 99, 0}, 24, kTranslation},
    {{192, 168, 0, 0}, 16, kPrivate},
    {{198, 18, 0, 0}, 15, kBenchmarking},
    {{198, 51, 100, 0}, 24, kDocumentation},
    {{203, 0, 113, 0}, 24, kDocumentation},
    {{224, 0, 0, 0}, 4, kMulticast},
    {{240, 0, 0, 0}, 4, kReserved},
};

// IANA IPv6 Special-Purpose Address Registry, and names for some of what lies outside 2000::/3. The
// first match counts; bytes not given are zero.
constexpr V6Range kV6Ranges[] = {
    {{}, 128, kThisNetwork},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, kLoopback},
    {{}, 96, kTranslation},                                    // ::/96, IPv4-compatible
    {{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, kTranslation},  // ::ffff:0:0:0/96, SIIT
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, kTranslation},           // 64:ff9b:1::/48, local NAT64
    {{0x20, 0x01, 0, 0}, 32, kTranslation},                    // 2001::/32, Teredo
    {{0x20, 0x01}, 23, kReserved},                             // 2001::/23, IETF protocols
    {{0x20, 0x01, 0x0d, 0xb8}, 32, kDocumentation},
    {{0x20, 0x02}, 16, kTranslation},  // 2002::/16, 6to4
    {{0x3f, 0xff}, 20, kDocumentation},
    {{0xfc}, 7, kPrivate},
    {{0xfe, 0x80}, 10, kLinkLocal},
    {{0xfe, 0xc0}, 10, kPrivate},
    {{0xff}, 8, kMulticast},
};

// Names that mean the same special addresses wherever they are looked up.
struct SpecialName {
  std::string_view name;
  std::span<const std::string_view> addresses;
};

constexpr std::array<std::string_view, 2> kLocalhost = {"127.0.0.1", "::1"};
constexpr std::array<std::string_view, 2> kMetadata = {"169.254.169.254", "fd00:ec2::254"};
constexpr std::array<SpecialName, 7> kSpecialNames = {{
    {"localhost", kLocalhost},
    {"localhost.localdomain", kLocalhost},
    {"ip6-localhost", kLocalhost},
    {"ip6-loopback", kLocalhost},
    {"metadata.google.internal", kMetadata},
    {"metadata.goog", kMetadata},
    {"instance-data.ec2.internal", kMetadata},
}};

std::vector<IpAddress> special_addresses(std::string_view host) {
  std::vector<IpAddress> out;
  const auto add = [&](std::span<const std::string_view> texts) {
    for (const auto text : texts) out.push_back(*IpAddress::parse(text));
  };
  for (const auto& special : kSpecialNames) {
    if (host == special.name) add(special.addresses);
  }
  if (host.ends_with(".localhost")) add(kLocalhost);
  return out;
}

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::array<uint8_t, 12> kNat64Prefix = {0, 0x64, 0xff, 0x9b};

bool same_prefix(std::span<const uint8_t> a, std::span<const uint8_t> b, size_t bits) {
  const size_t whole = bits / 8;
  if (!std::ranges::equal(a.first(whole), b.first(whole))) return false;
  const size_t rest = bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

// The last four bytes.
IpAddress embedded_v4(std::span<const uint8_t> v6) {
  return IpAddress::v4({v6[12], v6[13], v6[14], v6[15]});
}

AddressClass classify_v4(std::span<const uint8_t> bytes) {
  for (const V4Range& range : kV4Ranges) {
    if (same_prefix(bytes, range.network, range.prefix)) return range.kind;
  }
  return kPublic;
}

AddressClass classify_v6(std::span<const uint8_t> bytes) {
  for (const V6Range& range : kV6Ranges) {
    if (same_prefix(bytes, range.network, range.prefix)) return range.kind;
  }
  return bytes[0] >> 5 == 1 ? kPublic : kReserved;
}

}  // namespace

IpAddress IpAddress::v4(const std::array<uint8_t, 4>& bytes) {
  IpAddress out;
  std::ranges::copy(bytes, out.bytes_.begin());
  return out;
}

IpAddress IpAddress::v6(const std::array<uint8_t, 16>& bytes) {
  IpAddress out;
  out.bytes_ = bytes;
  out.size_ = 16;
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton reads up to a NUL; one inside the text would hide the rest.
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const std::string terminated(text);
  std::array<uint8_t, 4> four{};
  if (inet_pton(AF_INET, terminated.c_str(), four.data()) == 1) return v4(four);
  std::array<uint8_t, 16> sixteen{};
  if (inet_pton(AF_INET6, terminated.c_str(), sixteen.data()) == 1) return v6(sixteen);
  return std::nullopt;
}

IpAddress IpAddress::unmapped() const {
  if (is_v4() || !std::ranges::equal(bytes().first(12), kMappedPrefix)) return *this;
  return embedded_v4(bytes());
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const char* text = inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), out.data(), out.size());
  CHECK(text != nullptr);
  return text;
}

Cidr::Cidr(const IpAddress& address, size_t prefix) : network_(address), prefix_(prefix) {
  CHECK(prefix <= address.bytes().size() * 8);
  if (prefix >= 96 && address.unmapped() != address) {
    network_ = address.unmapped();
    prefix_ -= 96;
  }
  std::array<uint8_t, 16> kept{};
  for (size_t bit = 0; bit < prefix_; ++bit) {
    const int mask = 0x80 >> bit % 8;
    kept[bit / 8] = static_cast<uint8_t>(kept[bit / 8] | (network_.bytes()[bit / 8] & mask));
  }
  network_ =
      network_.is_v4() ? IpAddress::v4({kept[0], kept[1], kept[2], kept[3]}) : IpAddress::v6(kept);
}

bool Cidr::contains(const IpAddress& address) const {
  const IpAddress dialled = address.unmapped();
  return dialled.is_v4() == network_.is_v4() &&
         same_prefix(dialled.bytes(), network_.bytes(), prefix_);
}

std::string Cidr::to_string() const {
  return network_.to_string() + "/" + std::to_string(prefix_);
}

Result<Cidr> parse_cidr(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address)
    return fail(Errc::kInvalidArgument, "network must be an IP address with or without /prefix");
  const size_t bits = address->bytes().size() * 8;
  if (slash == std::string_view::npos) return Cidr(*address, bits);
  const auto prefix = parse_uint(text.substr(slash + 1));
  if (!prefix || *prefix > bits) {
    return fail(Errc::kInvalidArgument,
                "network prefix must be a number from 0 to " + std::to_string(bits));
  }
  const Cidr network(*address, *prefix);
  if (network.network() != Cidr(*address, bits).network()) {
    return fail(Errc::kInvalidArgument, "network has bits set beyond its prefix; " +
                                            network.to_string() + " was probably meant");
  }
  return network;
}

Result<std::vector<Cidr>> parse_networks(std::span<const std::string> texts) {
  std::vector<Cidr> out;
  for (const auto& text : texts) {
    const auto network = parse_cidr(text);
    if (!network) return fail(Errc::kInvalidArgument, text + ": " + network.error().message);
    out.push_back(*network);
  }
  return out;
}

std::string network_of(std::string_view address) {
  const auto ip = IpAddress::parse(address);
  if (!ip) return std::string(address);
  const IpAddress dialled = ip->unmapped();
  const size_t counted = dialled.is_v4() ? 4 : 8;
  return std::string(reinterpret_cast<const char*>(dialled.bytes().data()), counted);
}

AddressClass classify(const IpAddress& address) {
  const IpAddress dialled = address.unmapped();
  if (dialled.is_v4()) return classify_v4(dialled.bytes());
  if (std::ranges::equal(dialled.bytes().first(12), kNat64Prefix)) {
    return classify_v4(embedded_v4(dialled.bytes()).bytes());
  }
  return classify_v6(dialled.bytes());
}

bool is_loopback(std::string_view address) {
  const auto ip = IpAddress::parse(address);
  return ip && classify(*ip) == kLoopback;
}

Status AddressGuard::check(const IpAddress& address) const {
  if (classify(address) == kPublic) return {};
  if (std::ranges::any_of(allow_, [&](const Cidr& network) { return network.contains(address); }))
    return {};
  return fail(Errc::kForbidden, "target address is not allowed (see delivery.allow_networks)");
}

Status AddressGuard::check_any(std::span<const IpAddress> addresses) const {
  Status out;
  for (const auto& address : addresses) {
    out = check(address);
    if (out) break;
  }
  return out;
}

Status AddressGuard::check_host(std::string_view host) const {
  if (const auto address = IpAddress::parse(host)) return check(*address);
  return check_any(special_addresses(host));
}

}  // namespace eventhorn::net
