#include "net/socket_address.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace eventhorn::net {

std::optional<IpAddress> from_sockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    std::array<uint8_t, 4> b{};
    std::memcpy(b.data(), &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, b.size());
    return IpAddress::v4(b);
  }
  if (address->sa_family == AF_INET6) {
    std::array<uint8_t, 16> b{};
    std::memcpy(b.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, b.size());
    return IpAddress::v6(b);
  }
  return std::nullopt;
}

boost::asio::ip::tcp::endpoint to_endpoint(const IpAddress& address, uint16_t port) {
  const IpAddress dialled = address.unmapped();
  if (dialled.is_v4()) {
    boost::asio::ip::address_v4::bytes_type b{};
    std::ranges::copy(dialled.bytes(), b.begin());
    return {boost::asio::ip::address_v4(b), port};
  }
  boost::asio::ip::address_v6::bytes_type b{};
  std::ranges::copy(dialled.bytes(), b.begin());
  return {boost::asio::ip::address_v6(b), port};
}

bool is_own_address(const IpAddress& given) {
  const IpAddress address = given.unmapped();
  if (classify(address) == AddressClass::kLoopback) return true;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return true;
  bool found = false;
  for (const auto* i = list; i != nullptr && !found; i = i->ifa_next) {
    if (i->ifa_addr == nullptr) continue;
    const auto own = from_sockaddr(i->ifa_addr);
    found = own && *own == address;
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace eventhorn::net
