#include "api/own/find_endpoints.h"

#include "control/endpoint_settings.h"

#include <algorithm>
#include <map>

namespace eventhorn::api {
std::string endpoint_id(std::string_view url) {
  return store::to_text(store::endpoint_id(url));
}

namespace {

using Names = std::map<store::EndpointId, std::string>;

// URLs after `after` that webhooks or settings name. The first `limit` are whole.
Result<Names> read_names(Services& services, std::optional<store::EndpointId> after, size_t limit) {
  Names out;
  for (auto& [id, url] : services.directory.endpoints(after, limit))
    out.emplace(id, std::move(url));
  TRY(const auto settings, control::load_endpoint_settings(services.store.values));
  for (const auto& [url, of_url] : settings) {
    const auto id = store::endpoint_id(url);
    if (!after || id > *after) out.emplace(id, url);
  }
  return out;
}

// Endpoints that are read at once to find those of a state. Each step reads all settings.
constexpr size_t kStateStep = 500;

// The next `query.limit` of all, whatever their state; fewer at the end.
Task<Result<std::vector<control::EndpointStatus>>> read_step(Services& services,
                                                             const EndpointQuery& query) {
  auto known = co_await services.deliveries.endpoints(query.after, query.limit, {});
  const auto read = [&] { return read_names(services, query.after, query.limit); };
  CO_TRY(const auto names, co_await run_blocking(services.readers, read));
  std::map<store::EndpointId, control::EndpointStatus> all;
  for (auto& status : known) all.emplace(status.id, std::move(status));
  for (const auto& [id, url] : names) {
    auto& status = all[id];
    status.id = id;
    status.url = url;
  }
  std::vector<control::EndpointStatus> out;
  for (auto& [id, status] : all) {
    if (out.size() == query.limit) break;
    out.push_back(std::move(status));
  }
  co_return out;
}

}  // namespace

Task<Result<std::vector<control::EndpointStatus>>> read_endpoints(Services& services,
                                                                  const EndpointQuery& query,
                                                                  Deadline deadline) {
  // Whoever is not simply well is known to delivery.
  if (query.state && *query.state != control::EndpointState::kActive) {
    auto known = co_await services.deliveries.endpoints(query.after, query.limit, query.state);
    co_return known;
  }
  std::vector<control::EndpointStatus> out;
  EndpointQuery next = query;
  if (query.state) next.limit = std::max(query.limit, kStateStep);
  while (out.size() < query.limit) {
    if (services.clock.steady_now() >= deadline)
      co_return fail(Errc::kTimeout, "the list took too long: ask for a lower limit");
    CO_TRY(auto step, co_await read_step(services, next));
    if (step.empty()) break;
    next.after = step.back().id;
    const bool at_end = step.size() < next.limit;
    for (auto& status : step) {
      const bool wanted = !query.state || status.state == *query.state;
      if (wanted && out.size() < query.limit) out.push_back(std::move(status));
    }
    if (at_end) break;
  }
  co_return out;
}

Task<Result<std::string>> find_endpoint_url(Services& services, std::string_view id) {
  const auto number = store::parse_endpoint_id(id);
  if (!number) co_return fail(Errc::kNotFound, "Endpoint not found");
  if (auto url = services.directory.url_of(*number)) co_return *std::move(url);
  std::optional<store::EndpointId> before;
  if (number->value > 0) before = {number->value - 1};
  const EndpointQuery query{before, 1, {}};
  CO_TRY(auto found, co_await read_step(services, query));
  if (found.empty() || found.front().id != *number)
    co_return fail(Errc::kNotFound, "Endpoint not found");
  co_return std::move(found.front().url);
}

Task<Result<std::string>> find_endpoint_url(Services& services,
                                            const http::RequestContext& context) {
  return find_endpoint_url(services, context.params.at("id"));
}

}  // namespace eventhorn::api
