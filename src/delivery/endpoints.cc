#include "delivery/endpoints.h"

#include "control/endpoint_settings.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {

Endpoints::Endpoints(EndpointsOptions options, const Clock& clock, Sender& sender)
    : options_(options), clock_(clock), sender_(sender) {}

const EndpointPtr& Endpoints::of(const std::string& url) {
  auto& endpoint = by_url_[url];
  if (endpoint) return endpoint;
  const auto parsed = webhook::parse_target_url(url);
  const auto name = parsed ? parsed->host + ":" + std::to_string(parsed->port) : url;
  auto host = hosts_[name].lock();
  if (!host) hosts_[name] = host = std::make_shared<Places>(options_.max_per_host);
  endpoint = std::make_shared<Endpoint>(url, options_.health, std::move(host));
  endpoint->touch(clock_.steady_now());
  endpoint->story().since = clock_.now();
  apply(*endpoint);
  // Of two URLs with one id, which can be made on purpose, the second is in no list.
  by_id_.emplace(endpoint->id(), endpoint);
  return endpoint;
}

EndpointPtr Endpoints::find(const std::string& url) const {
  const auto it = by_url_.find(url);
  return it == by_url_.end() ? nullptr : it->second;
}

const EndpointPtr* Endpoints::next(std::optional<store::EndpointId> after) const {
  const auto it = after ? by_id_.upper_bound(*after) : by_id_.begin();
  return it == by_id_.end() ? nullptr : &it->second;
}

void Endpoints::forget(EndpointPtr endpoint) {
  by_url_.erase(endpoint->url());
  const auto listed = by_id_.find(endpoint->id());
  if (listed != by_id_.end() && listed->second == endpoint) by_id_.erase(listed);
}

void Endpoints::forget_hosts() {
  std::erase_if(hosts_, [](const auto& entry) { return entry.second.expired(); });
}

void Endpoints::load_settings(const std::string& url, const store::EndpointSettings& settings) {
  settings_.emplace(url, settings);
}

EndpointPtr Endpoints::set(const std::string& url, const store::EndpointSettings& settings,
                           uint64_t version) {
  auto& known = versions_[url];
  if (known > version) return nullptr;
  known = version;
  if (settings == store::EndpointSettings()) {
    settings_.erase(url);
  } else {
    settings_[url] = settings;
  }
  auto endpoint = find(url);
  if (endpoint) apply(*endpoint);
  return endpoint;
}

void Endpoints::apply(Endpoint& endpoint) {
  const auto it = settings_.find(endpoint.url());
  const auto settings = it == settings_.end() ? store::EndpointSettings() : it->second;
  auto health = options_.health;
  if (settings.rate_limit > 0) health.rate_limit = settings.rate_limit;
  if (settings.max_concurrency > 0) health.max_concurrency = settings.max_concurrency;
  Sending sending;
  if (settings.retry_schedule)
    sending.schedule.emplace(*settings.retry_schedule, options_.retry_jitter);
  sending.secrets = control::standard_secrets(settings);
  sending.target = sender_.open(endpoint.url(), settings);
  endpoint.set(std::move(sending), health);
}

void Endpoints::check_invariants() const {
  for (const auto& [url, endpoint] : by_url_) CHECK(endpoint->url() == url);
  for (const auto& [id, endpoint] : by_id_)
    CHECK(endpoint->id() == id && find(endpoint->url()) == endpoint);
}

}  // namespace eventhorn::delivery
