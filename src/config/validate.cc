#include "base/strings.h"
#include "config/config.h"
#include "config/fields.h"
#include "net/address.h"
#include "net/authority.h"
#include "webhook/retry_schedule.h"
#include "webhook/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace eventhorn::config {
namespace {

class Validator {
 public:
  explicit Validator(const Config& config) : config_(config) {}

  Findings run() {
    for (const Field& field : fields()) {
      if (const auto rule = broken_bound(field, config_)) error(field.key, *rule);
    }
    check_server();
    check_store();
    check_delivery();
    check_network();
    check_alerts();
    return std::move(findings_);
  }

 private:
  void check_server() {
    const Server& server = config_.server;
    const auto listen = parse_listen_address(server.listen);
    if (!listen) error("server.listen", listen.error().message);
    if (!server.public_url.empty() && !is_origin(server.public_url)) {
      error("server.public_url",
            "must be http://host or https://host, with an optional port and without a path");
    }
    if (server.max_buffered_bytes < 2 * server.max_body_bytes) {
      warn("server.max_buffered_bytes",
           "below twice server.max_body_bytes: a body that large may find no room");
    }
    if (server.tls_cert.empty() != server.tls_key.empty()) {
      error(server.tls_cert.empty() ? "server.tls_cert" : "server.tls_key",
            "must be set as well: a certificate and its key belong together");
    }
    check_networks("server.trusted_proxies", server.trusted_proxies);
    for (const std::string& host : server.allowed_hosts) {
      if (!net::parse_authority(host)) {
        error("server.allowed_hosts",
              quoted(host) +
                  " must be a whole host name or IP address, an IPv6 address in "
                  "brackets, without scheme, path or wildcard");
      }
    }
    if (!listen || net::is_loopback(listen->address)) return;
    if (server.tls_cert.empty() && server.trusted_proxies.empty()) {
      warn("server.listen",
           "reachable from other machines without TLS: keys and events travel in the clear; set "
           "server.tls_cert and server.tls_key, or server.trusted_proxies for a proxy with TLS");
    }
    if (config_.dev)
      warn("dev",
           "reachable from other machines with loopback targets allowed; use it on 127.0.0.1");
  }

  void check_store() {
    const std::string& url = config_.store.url;
    if (!url.empty() && !url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
      error("store.url", "must be empty: only the embedded store in store.data is built in");
    }
    if (config_.events.max_item_bytes > config_.server.max_body_bytes) {
      warn("events.max_item_bytes",
           "above server.max_body_bytes: an event that large can't arrive");
    }
  }

  void check_delivery() {
    const Delivery& delivery = config_.delivery;
    if (delivery.retry_schedule.size() > webhook::kMaxRetries) {
      error("delivery.retry_schedule",
            fmt::format("must have at most {} delays", webhook::kMaxRetries));
    }
    check_networks("delivery.allow_networks", delivery.allow_networks);
    for (const std::string& network : delivery.allow_networks) {
      if (network.ends_with("/0")) {
        warn("delivery.allow_networks",
             quoted(network) + " turns the guard off: webhooks can reach every inner address");
      }
    }
    if (!std::ranges::all_of(delivery.user_agent, is_printable)) {
      error("delivery.user_agent", "must be printable ASCII");
    }
    if (delivery.connect_timeout > delivery.timeout) {
      warn("delivery.connect_timeout", "above delivery.timeout, which ends the attempt first");
    }
    if (delivery.timeout > delivery.drain_timeout) {
      warn("delivery.drain_timeout",
           "below delivery.timeout: a stop cuts slow attempts off and they are sent again");
    }
    if (delivery.max_concurrency_per_url > delivery.max_in_flight) {
      warn("delivery.max_concurrency_per_url",
           "above delivery.max_in_flight: one URL can take every slot");
    }
  }

  void check_network() {
    // Never quoted: it may hold a password.
    const std::string& proxy = config_.delivery.proxy;
    if (!proxy.empty() && !is_proxy(proxy)) {
      error("delivery.proxy", "must be http://host:port or http://user:password@host:port");
    }
    bool has_v4 = false;
    bool has_v6 = false;
    for (const std::string& text : config_.delivery.source_address) {
      const auto address = net::IpAddress::parse(text);
      if (!address) {
        error("delivery.source_address", quoted(text) + " must be an IP address");
        continue;
      }
      bool& has_one = address->is_v4() ? has_v4 : has_v6;
      if (has_one) error("delivery.source_address", "must have at most one address of each family");
      has_one = true;
    }
    for (const std::string& server : config_.dns.servers) {
      if (!net::IpAddress::parse(server) && !parse_listen_address(server)) {
        error("dns.servers", quoted(server) +
                                 " must be an IP address such as 192.0.2.53, with a port "
                                 "192.0.2.53:53 or [2001:db8::53]:53");
      }
    }
  }

  void check_alerts() {
    const std::string& url = config_.alerts.url;
    if (url.empty()) return;
    const auto target = webhook::parse_target_url(url);
    if (!target) error("alerts.url", target.error().message);
  }

  void check_networks(std::string_view key, const std::vector<std::string>& networks) {
    for (const std::string& network : networks) {
      const auto parsed = net::parse_cidr(network);
      if (!parsed) {
        error(key, quoted(network) + " must be a network such as 10.0.0.0/8 or fd00::/8: " +
                       parsed.error().message);
      }
    }
  }

  static bool is_proxy(std::string_view url) {
    constexpr std::string_view kScheme = "http://";
    if (!url.starts_with(kScheme)) return false;
    url.remove_prefix(kScheme.size());
    const size_t at = url.rfind('@');
    if (at != std::string_view::npos) url.remove_prefix(at + 1);
    const auto authority = net::parse_authority(url);
    return authority && authority->port;
  }

  static bool is_origin(std::string_view url) {
    for (const std::string_view scheme : {"http://", "https://"}) {
      if (url.starts_with(scheme))
        return net::parse_authority(url.substr(scheme.size())).has_value();
    }
    return false;
  }

  static std::string quoted(std::string_view text) { return '"' + escape_for_log(text, 100) + '"'; }

  void error(std::string_view key, std::string_view rule) {
    findings_.errors.push_back(fmt::format("{}: {}", key, rule));
  }

  void warn(std::string_view key, std::string_view text) {
    findings_.warnings.push_back(fmt::format("{}: {}", key, text));
  }

  const Config& config_;
  Findings findings_;
};

}  // namespace

Findings validate(const Config& config) {
  return Validator(config).run();
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto refusal =
      fail(Errc::kInvalidArgument,
           "must be an IP address and a port such as 127.0.0.1:8480, 0.0.0.0:8480 or [::1]:8480");
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refusal;
  std::string_view address = text.substr(0, colon);
  const auto port = parse_uint(text.substr(colon + 1));
  const bool bracketed = address.starts_with('[') && address.ends_with(']');
  if (bracketed) address = address.substr(1, address.size() - 2);
  const auto ip = net::IpAddress::parse(address);
  if (!ip || ip->is_v4() == bracketed) return refusal;
  if (!port || *port > std::numeric_limits<uint16_t>::max()) return refusal;
  return ListenAddress{std::string(address), static_cast<uint16_t>(*port)};
}

}  // namespace eventhorn::config
