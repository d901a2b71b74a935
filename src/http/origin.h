// Who a request comes from and which of our names it uses: the client's address behind trusted
// proxies, the Host check against DNS rebinding, and the refusal of state changes that foreign
// pages make (design.md section 6). Pure, but for one warning in the log.
#pragma once

#include "http/message.h"
#include "net/authority.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::http {

struct OriginOptions {
  std::string listen_address = "127.0.0.1";  // IP literal; "::" listens on IPv4 too
  uint16_t listen_port = 0;
  bool tls = false;  // what the server itself speaks
  /// "scheme://host[:port]", where users reach the server; empty when not set. Its host is always
  /// allowed, and it is the base of every request.
  std::string public_url;
  /// Further names; a port in an entry is ignored.
  std::vector<std::string> allowed_hosts;
  /// Whether the peer with this textual IP is a proxy whose X-Forwarded-For, -Proto, -Host and
  /// -Port are believed. Empty: none is.
  std::function<bool(std::string_view ip)> trusted_proxy;
};

class OriginPolicy {
 public:
  explicit OriginPolicy(OriginOptions options);

  /// Sets `request.remote_address` and `request.base` from the peer's textual IP and the fields, or
  /// gives the refusal:
  /// - 400: Host is not a host with an optional port;
  /// - 421: the host is none of ours. Only names are compared, never ports: rebinding needs a name,
  /// and ports change on
  ///   the way through tunnels and containers. Allowed are the host of public_url, the listen
  ///   address, allowed_hosts; 127.0.0.1, localhost and [::1] when listening on loopback or
  ///   everywhere; every IP literal when listening everywhere. /healthz and /readyz answer under
  ///   any name.
  /// - 403: a method other than GET and HEAD, with Sec-Fetch-Site other than same-origin and none,
  /// or with an Origin
  ///   whose host and port are neither those of Host nor of public_url. /bin/... takes posts from
  ///   anywhere.
  /// A request without Host (HTTP/1.0) is taken to mean the listen address. A path of "/v3" and a
  /// whole URL of one of our hosts becomes that URL's.
  ///
  /// Of several trusted proxies in a row the first one's view counts: each adds its own to the end
  /// of X-Forwarded-Host, -Port and -Proto, or there is one for all.
  std::optional<Response> admit(Request& request, std::string_view peer) const;

  /// Whether `host`, a name or an IP literal without brackets, is among the names above.
  bool answers_to(std::string_view host) const;

 private:
  bool is_ours(const net::Authority& host) const;
  std::optional<net::Authority> host_of(const Request& request, std::string_view scheme,
                                        size_t proxies) const;
  void warn_of_proxy(const Request& request, std::string_view peer) const;
  void take_url_in_path(Request& request) const;
  bool is_foreign(const Request& request, std::string_view authority) const;

  OriginOptions options_;
  net::Authority default_host_;
  std::string public_authority_;
  std::vector<std::string> names_;
  bool everywhere_ = false;
  mutable std::atomic<bool> warned_{false};
};

}  // namespace eventhorn::http
