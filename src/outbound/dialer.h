// A new connection to a receiver: resolves its name, has every address judged by the guard,
// connects to one that passed, directly or through the egress proxy, and speaks TLS. Internal to
// outbound/.
#pragma once

#include "async/task.h"
#include "net/address.h"
#include "outbound/attempted.h"
#include "outbound/connection.h"
#include "outbound/happy_eyeballs.h"
#include "outbound/proxy.h"
#include "outbound/resolver.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct ssl_ctx_st;  // SSL_CTX

namespace eventhorn::outbound {

struct Destination {
  std::string host;  // a name or an IP literal
  uint16_t port = 0;
  std::shared_ptr<ssl_ctx_st> tls;  // empty: plain
};

struct DialOptions {
  /// Resolving, connecting and TLS.
  std::chrono::milliseconds connect_timeout{5000};
  ConnectOptions connect;
  std::optional<Proxy> proxy;
  /// See ClientOptions::own_port.
  std::shared_ptr<std::atomic<uint16_t>> own_port;
};

/// Lives on one core.
class Dialer {
 public:
  Dialer(Resolver& resolver, net::AddressGuard guard, DialOptions options)
      : resolver_(resolver), guard_(std::move(guard)), options_(std::move(options)) {}

  /// A connection ready for a request, whose address() the guard has passed. By `deadline` or the
  /// connect timeout. Of a name with several addresses those that the guard refuses are left out;
  /// when none is left nothing is dialled: kBlocked.
  Task<Attempted<std::unique_ptr<ClientConnection>>> dial(const Destination& to, Deadline deadline);

 private:
  Attempted<std::vector<net::IpAddress>> vet(const std::vector<net::IpAddress>& addresses,
                                             uint16_t port) const;
  Task<Attempted<Connected>> connect(std::vector<net::IpAddress> addresses, uint16_t port,
                                     Deadline deadline);
  Task<Attempted<Connected>> tunnel(const Proxy& proxy, std::vector<net::IpAddress> proxy_addresses,
                                    net::IpAddress to, uint16_t port, Deadline deadline);

  Resolver& resolver_;
  const net::AddressGuard guard_;
  const DialOptions options_;
};

}  // namespace eventhorn::outbound
