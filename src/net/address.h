// IP addresses as values, and the guard that decides which of them a webhook may reach (reliability
// S1-S4). Everything here is immutable after construction and thread-safe.
#pragma once

#include "base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::net {

/// An IPv4 or IPv6 address, without zone.
class IpAddress {
 public:
  static IpAddress v4(const std::array<uint8_t, 4>& bytes);
  static IpAddress v6(const std::array<uint8_t, 16>& bytes);
  /// Four decimal numbers without leading zeros, or RFC 4291 section 2.2; no brackets, zone or
  /// space. nullopt otherwise.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const { return size_ == 4; }

  /// 4 or 16 bytes in network order, valid as long as the address.
  std::span<const uint8_t> bytes() const { return {bytes_.data(), size_}; }

  /// An IPv4-mapped address (::ffff:0:0/96) as the IPv4 address that a socket would really dial;
  /// others unchanged.
  IpAddress unmapped() const;

  std::string to_string() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};  // unused bytes are zero
  uint8_t size_ = 4;
};

/// A network: an address and how many of its leading bits count.
class Cidr {
 public:
  /// `prefix` beyond the address' length is a bug (CHECK). Bits beyond the prefix are cleared. An
  /// IPv4-mapped network of at least 96 bits becomes the IPv4 network.
  Cidr(const IpAddress& address, size_t prefix);

  /// IPv4-mapped addresses are compared as IPv4, so ::ffff:127.0.0.1 is in 127.0.0.0/8; no IPv6
  /// network contains an IPv4 address.
  bool contains(const IpAddress& address) const;

  const IpAddress& network() const { return network_; }

  /// "127.0.0.0/8".
  std::string to_string() const;

  friend bool operator==(const Cidr&, const Cidr&) = default;

 private:
  IpAddress network_;
  size_t prefix_;
};

/// "10.0.0.0/8", "fd00::/8", or a single address. kInvalidArgument, saying what is wrong, for
/// anything else and for bits set beyond the prefix (the message gives the network that was
/// probably meant).
Result<Cidr> parse_cidr(std::string_view text);

/// All of them, or kInvalidArgument naming the first that is none.
Result<std::vector<Cidr>> parse_networks(std::span<const std::string> texts);

/// What a client's textual address counts as where clients are limited: the network of an IPv6
/// address, since one customer usually holds a whole /64; one of IPv4, mapped or not, by itself. No
/// text for people.
std::string network_of(std::string_view address);

/// What an address is for. Everything but kPublic is special.
enum class AddressClass : uint8_t {
  kPublic,
  kThisNetwork,    // 0.0.0.0/8, ::
  kLoopback,       // 127.0.0.0/8, ::1
  kPrivate,        // RFC 1918, fc00::/7, fec0::/10, cloud platforms' own addresses
  kShared,         // 100.64.0.0/10, carrier-grade NAT
  kLinkLocal,      // 169.254.0.0/16, fe80::/10
  kDocumentation,  // 192.0.2.0/24, 2001:db8::/32, ...
  kBenchmarking,   // 198.18.0.0/15
  kMulticast,      // 224.0.0.0/4, ff00::/8
  kTranslation,    // IPv6 addresses that stand for IPv4 ones by a mechanism no webhook needs: 6to4,
                   // Teredo, SIIT, ...
  kReserved,       // the rest of the IANA special-purpose registries, and space not given out
};

/// By the IANA special-purpose address registries (RFC 6890 and its updates), IPv6 closed by
/// default: only 2000::/3 without its special parts is public.
///
/// An IPv4-mapped address has the class of the IPv4 address. So has one of the NAT64 prefix
/// 64:ff9b::/96, which on a network without IPv4 is how public IPv4 hosts are reached. The other
/// forms that embed an IPv4 address are special whatever they embed.
AddressClass classify(const IpAddress& address);

/// True for the text of a loopback address.
bool is_loopback(std::string_view address);

/// Says whether an address may be dialled. Used on literals when a URL is configured, and on every
/// resolved address right before connecting.
class AddressGuard {
 public:
  /// `allow`: networks exempt from the guard (`delivery.allow_networks`).
  explicit AddressGuard(std::vector<Cidr> allow) : allow_(std::move(allow)) {}

  /// OK for public addresses and those in an allowed network; kForbidden otherwise. The message is
  /// the same for every address, so that it cannot be used to explore networks (reliability S16).
  Status check(const IpAddress& address) const;

  /// Of a host with several addresses: OK when one may be dialled, since only those are.
  Status check_any(std::span<const IpAddress> addresses) const;

  /// Of the host of a URL (webhook::TargetUrl::host), without looking it up: a literal is judged by
  /// check(), a name that stands for special addresses everywhere ("localhost" and below, RFC 6761
  /// section 6.3; the metadata services of clouds) by those. OK for all other names.
  Status check_host(std::string_view host) const;

 private:
  std::vector<Cidr> allow_;
};

}  // namespace eventhorn::net
