#include "app/front.h"

#include "api/routes.h"
#include "net/address.h"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

namespace eventhorn::app {
namespace {

api::Options api_options(const config::Config& config) {
  api::Options out;
  out.auto_create = config.domains.auto_create;
  out.verify_host = config.webhooks.verify_host;
  out.max_item_bytes = config.events.max_item_bytes;
  out.max_batch_items = config.events.max_batch_items;
  out.max_ahead = config.events.max_ahead;
  out.query_timeout = config.events.query_timeout;
  // One more than a bin keeps, because it cuts between characters and so looks at the next byte.
  out.bin_body_bytes = config.bins.max_body_bytes + 1;
  out.webhook_rate_limit = config.api.webhook_rate_limit;
  out.max_waits_per_key = config.api.max_waits_per_key;
  out.attempt_timeout = config.delivery.timeout;
  return out;
}

// What repairs have left of earlier stores.
std::vector<std::string> quarantines_of(const std::string& data) {
  std::vector<std::string> out;
  std::error_code ec;
  for (const auto& entry : std::filesystem::directory_iterator(data, ec)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with("quarantine-")) out.push_back(name);
  }
  std::ranges::sort(out);
  return out;
}

http::Response starting() {
  auto response = http::message_response(503, "the server is starting: try again");
  response.fields.set("Retry-After", "1");
  return response;
}

}  // namespace

Result<http::OriginOptions> own_names(const config::Server& config) {
  TRY(const auto address, config::parse_listen_address(config.listen));
  http::OriginOptions options;
  options.listen_address = address.address;
  options.listen_port = address.port;
  options.public_url = config.public_url;
  options.allowed_hosts = config.allowed_hosts;
  return options;
}

Front::Front(const Parts& parts)
    : parts_(parts),
      options_(api_options(parts.config)),
      limiter_(parts.clock),
      services_{
          parts.clock,
          parts.store,
          parts.directory,
          parts.writers.appends,
          parts.writers.health,
          parts.pools.readers,
          parts.pools.searchers,
          parts.pools.writer,
          parts.keys,
          parts.api_keys,
          parts.audit,
          limiter_,
          parts.bins,
          parts.own_bins,
          parts.guard,
          options_,
          parts.sending.deliveries(),
          [&sending = parts.sending](const std::string& url, const store::EndpointSettings& for_url,
                                     std::string body, std::string extra_head, Deadline deadline) {
            return sending.post(url, for_url, std::move(body), std::move(extra_head), deadline);
          },
          parts.sending.resolver(),
          parts.notices,
          parts.writers.doorbells,
          parts.erasures,
          [data = parts.config.store.data] { return quarantines_of(data); },
          &draining_},
      router_(api::make_router(services_)),
      admission_(services_, router_) {}

http::Verdict Front::admit(const http::Request& head) {
  if (!started_ && head.path.starts_with("/eventhorn/v1/")) return tl::unexpected(starting());
  return admission_.admit(head);
}

Result<http::ServerOptions> Front::server_options() const {
  const auto& config = parts_.config.server;
  http::ServerOptions options;
  options.max_body_bytes = config.max_body_bytes;
  options.max_inflated_bytes = config.max_body_bytes;
  options.max_buffered_bytes = config.max_buffered_bytes;
  options.max_connections = config.max_connections;
  options.idle_timeout = config.idle_timeout;
  options.request_timeout = config.request_timeout;
  if (!config.tls_cert.empty()) {
    TRY(options.tls, http::TlsContext::load(config.tls_cert, config.tls_key, parts_.clock));
  }
  TRY(options.origin, own_names(config));
  TRY(auto proxies, net::parse_networks(config.trusted_proxies));
  if (!proxies.empty()) {
    options.origin.trusted_proxy = [proxies = std::move(proxies)](std::string_view ip) {
      const auto parsed = net::IpAddress::parse(ip);
      return parsed &&
             std::ranges::any_of(proxies, [&](const net::Cidr& c) { return c.contains(*parsed); });
    };
  }
  return options;
}

Status Front::listen() {
  TRY(const auto options, server_options());
  server_ = std::make_unique<http::Server>(
      parts_.cores, options, [this](const http::Request& head) { return admit(head); });
  TRY(const uint16_t port, server_->listen());
  parts_.sending.set_own_port(port);
  const auto& address = options.origin.listen_address;
  const bool v6 = address.find(':') != std::string::npos;
  base_ = std::string(options.tls ? "https://" : "http://") + (v6 ? "[" + address + "]" : address) +
          ":" + std::to_string(port);
  return {};
}

std::string Front::serve() {
  server_->serve();
  return base_;
}

void Front::stop(Deadline deadline) {
  server_->stop_accepting();
  server_->drain(deadline);
}

}  // namespace eventhorn::app
