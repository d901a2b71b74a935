// IpAddress to and from the forms that sockets use.
#pragma once

#include "net/address.h"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <optional>

struct sockaddr;

namespace eventhorn::net {

/// nullopt for other families than IPv4 and IPv6.
std::optional<IpAddress> from_sockaddr(const sockaddr* address);

/// What a socket dials for `address`: an IPv4-mapped address is the IPv4 address.
boost::asio::ip::tcp::endpoint to_endpoint(const IpAddress& address, uint16_t port);

/// Whether it is loopback or an address of one of this machine's interfaces; true as well when they
/// can't be listed.
bool is_own_address(const IpAddress& address);

}  // namespace eventhorn::net
