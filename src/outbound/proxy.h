// The egress proxy: an HTTP proxy that connects to receivers for us (`delivery.proxy`). Its own
// address is the operator's choice and exempt from the guard; what it is asked to connect to is
// not.
#pragma once

#include "async/task.h"
#include "base/result.h"
#include "outbound/attempted.h"

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace eventhorn::outbound {

struct Proxy {
  std::string host;  // a name or an IP literal
  uint16_t port = 0;
  std::string authorization{};  // value of Proxy-Authorization; empty: none. A secret.
};

/// "http://[user:pass@]host:port". kInvalidArgument with the bare rule, without a part of the text.
Result<Proxy> parse_proxy(std::string_view url);

/// Asks the proxy at the other end of `socket` for a connection to exactly `to` (RFC 9110
/// section 9.3.6), by address, never by name. From then on the socket's other end is `to`.
///
/// kProxy when it refuses, answers something else, or closes; kCancelled. The caller closes the
/// socket at its deadline, which gives kCancelled too.
Task<webhook::AttemptResult> open_tunnel(asio::ip::tcp::socket& socket, const Proxy& proxy,
                                         asio::ip::tcp::endpoint to);

}  // namespace eventhorn::outbound
