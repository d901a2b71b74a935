// The client that makes deliveries: HTTP/1.1 POSTs over pooled keep-alive connections, plain or
// TLS. Only vetted addresses are dialled, redirects are never followed, answers are read to a cap
// and never decompressed.
//
// A Client lives on one core: everything here is called on its io_context. In layers below it:
// resolver.h (names), dialer.h (new connections), connection_pool.h (idle ones), answer.h.
#pragma once

#include "async/task.h"
#include "base/result.h"
#include "net/address.h"
#include "outbound/answer.h"
#include "outbound/proxy.h"
#include "outbound/resolver.h"
#include "webhook/headers.h"
#include "webhook/outcome.h"
#include "webhook/url.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::outbound {

struct ClientOptions {
  /// Resolving, connecting and TLS, within the deadline of a request.
  std::chrono::milliseconds connect_timeout{5000};
  AnswerLimits answer;
  std::chrono::seconds idle_timeout{30};
  /// Idle connections kept for each target ...
  size_t max_idle_per_target = 64;
  /// ... and in all; beyond it the oldest one is closed.
  size_t max_idle_total = 1024;
  std::string user_agent = "mailgun/eventhorn";
  /// The port our own server listens on, once it does; our own addresses are refused there,
  /// whatever the guard allows (deliveries to our request bins never come here).
  std::shared_ptr<std::atomic<uint16_t>> own_port = std::make_shared<std::atomic<uint16_t>>(0);
  /// Name servers, each "ip", "ip:port" or "[ip]:port"; empty: the system's.
  std::vector<std::string> dns_servers;
  /// Of one look-up.
  std::chrono::milliseconds dns_timeout{4000};
  /// Through which all targets are reached, the guard still being applied by us.
  std::optional<Proxy> proxy;
  /// See ConnectOptions.
  std::vector<net::IpAddress> source_addresses;
};

struct TargetOptions {
  /// Sent with each request; must have passed webhook::check_custom_headers(). One of them takes
  /// the place of our own Accept, or of the Authorization made from the URL's credentials.
  std::vector<webhook::Header> headers{};
  /// PEM; both or neither. See check_client_certificate() in client_tls.h.
  std::string client_certificate_pem{};
  std::string client_key_pem{};
};

/// kAny: a kept connection, where there is one.
enum class Connection : uint8_t { kAny, kFresh };

class Client {
 public:
  class Target;

  Client(asio::any_io_executor executor, net::AddressGuard guard, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// What is kept between requests to one URL; its connections are shared with other targets of
  /// the same scheme, host, port and client certificate. A client certificate that is of no use
  /// makes every request to it fail (kTls).
  std::shared_ptr<Target> open(const webhook::TargetUrl& url, const TargetOptions& options = {});

  /// POSTs the pieces, joined, as `application/json`. `extra_head` is whole lines,
  /// "name: value\r\n" each, of this request alone (webhook::append_header makes them).
  ///
  /// Never throws; whatever goes wrong is in the result.
  Task<ClientReply> post(Target& target, std::span<const std::string_view> body, Deadline deadline,
                         std::string_view extra_head = {}, Connection which = Connection::kAny);

  /// The names as this client sees them.
  Resolver& resolver();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::outbound
