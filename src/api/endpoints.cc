// /eventhorn/v1/endpoints: the health of every URL, and its operator's hold on it.
#include "api/backlog.h"
#include "api/control.h"
#include "base/strings.h"
#include "webhook/url.h"

#include <algorithm>
#include <cmath>

namespace eventhorn::api {
namespace {

using store::EndpointState;
using store::EndpointStatus;

constexpr EndpointState kStates[] = {EndpointState::kActive, EndpointState::kThrottled,
                                     EndpointState::kParked, EndpointState::kGone,
                                     EndpointState::kPaused};

Result<std::optional<EndpointState>> parse_state(std::string_view text) {
  if (text.empty()) return std::optional<EndpointState>();
  for (const auto state : kStates) {
    if (store::to_string(state) == text) return std::optional(state);
  }
  return fail(Errc::kInvalidArgument, "state: must be active, throttled, parked, gone or paused");
}

// Steps of one lane each: a URL may have thousands, and other requests want the readers too.
Task<Result<std::unordered_map<std::string, Backlog>>> read_backlogs(
    Services& services, const std::vector<EndpointStatus>& endpoints, Deadline deadline) {
  std::unordered_map<std::string, Backlog> out;
  for (const auto& endpoint : endpoints) out.try_emplace(endpoint.url);
  std::string only_url = endpoints.size() == 1 ? endpoints.front().url : "";
  const auto lanes = co_await services.deliveries.lanes(std::move(only_url));
  const auto index = [&] { return domains_by_uid(services.directory); };
  const auto domains = co_await run_blocking(services.readers, index);
  for (const auto& lane : lanes) {
    const auto of_url = out.find(lane.url);
    const auto domain = domains.find(lane.domain);
    if (of_url == out.end() || domain == domains.end()) continue;
    if (services.clock.steady_now() >= deadline) {
      co_return fail(Errc::kTimeout,
                     "counting the backlog took too long: ask for one url, or a lower limit");
    }
    const auto read = [&] { return read_backlog(services.store, *domain->second, lane); };
    const auto backlog = co_await run_blocking(services.readers, read);
    if (!backlog) co_return fail(backlog.error());
    of_url->second.add(*backlog);
  }
  co_return out;
}

void write_endpoint(json::Writer& w, const EndpointStatus& endpoint, const Backlog& backlog,
                    SystemTime now) {
  w.begin_object().key("id").value(endpoint_id(endpoint.url));
  w.key("url").value(webhook::masked(endpoint.url));
  w.key("state").value(store::to_string(endpoint.state));
  w.key("reason").value(endpoint.reason);
  write_time(w, "since", endpoint.since);
  write_time(w, "last_success", endpoint.last_success);
  write_time(w, "last_failure", endpoint.last_failure);
  write_time(w, "next_attempt", endpoint.next_attempt);
  w.key("failures_in_row").value(endpoint.failures_in_row);
  w.key("in_flight").value(endpoint.in_flight);
  w.key("concurrency").value(endpoint.concurrency);
  w.key("lanes").value(endpoint.lanes);
  w.key("waiting").value(endpoint.waiting);
  w.key("settled_per_minute").value(std::llround(endpoint.rate * 60));
  w.key("backlog");
  write_backlog(w, backlog, now);
  write_eta(w, "eta_seconds", backlog.events(), endpoint.pace);
  w.end_object();
}

Task<http::Response> write_list(Services& services, http::RequestContext& context,
                                std::vector<EndpointStatus> endpoints, std::string page) {
  const auto backlogs = co_await read_backlogs(services, endpoints, context.deadline);
  if (!backlogs) co_return error_response(backlogs.error());
  std::string body;
  json::Writer w(body);
  w.begin_object().key("items").begin_array();
  for (const auto& endpoint : endpoints)
    write_endpoint(w, endpoint, backlogs->at(endpoint.url), services.clock.now());
  end_list(w, context.request, page);
  co_return http::json_response(200, std::move(body));
}

Task<http::Response> list(Services& services, http::RequestContext& context) {
  const auto query = read_list_query(context.request);
  if (!query) co_return error_response(query.error());
  const auto state = parse_state(query->query.first("state").value_or(""));
  if (!state) co_return error_response(state.error());
  const auto& page_after = query->page;
  const bool good_page =
      page_after.empty() || (page_after.size() == kEndpointIdBytes &&
                             page_after.find_first_not_of("0123456789abcdef") == std::string::npos);
  if (!good_page) co_return http::message_response(400, "page: is not of this list");
  const auto url = query->query.first("url").value_or("");
  auto known = co_await known_endpoints(services);
  if (!known) co_return error_response(known.error());
  std::vector<std::pair<std::string, EndpointStatus>> found;
  for (auto& [id, status] : *known) {
    const bool wanted = (!*state || status.state == **state) && (url.empty() || status.url == url);
    if (wanted && id > query->page) found.emplace_back(id, std::move(status));
  }
  const auto end =
      found.begin() + static_cast<std::ptrdiff_t>(std::min(query->limit, found.size()));
  std::partial_sort(found.begin(), end, found.end(),
                    [](const auto& a, const auto& b) { return a.first < b.first; });
  found.erase(end, found.end());
  std::string page = found.empty() ? query->page : found.back().first;
  std::vector<EndpointStatus> endpoints;
  for (auto& [id, status] : found) endpoints.push_back(std::move(status));
  auto out = co_await write_list(services, context, std::move(endpoints), std::move(page));
  co_return out;
}

Task<http::Response> get(Services& services, http::RequestContext& context) {
  const auto url = co_await find_endpoint_url(services, context);
  if (!url) co_return error_response(url.error());
  std::vector<EndpointStatus> endpoints;
  auto endpoint = co_await services.deliveries.endpoint(*url);
  endpoints.push_back(std::move(endpoint));
  const auto backlogs = co_await read_backlogs(services, endpoints, context.deadline);
  if (!backlogs) co_return error_response(backlogs.error());
  std::string body;
  json::Writer w(body);
  write_endpoint(w, endpoints.front(), backlogs->at(*url), services.clock.now());
  co_return http::json_response(200, std::move(body));
}

Task<http::Response> pause(Services& services, http::RequestContext& context) {
  const auto url = co_await find_endpoint_url(services, context);
  if (!url) co_return error_response(url.error());
  const auto paused = co_await services.deliveries.pause(*url);
  if (!paused) co_return error_response(paused.error());
  co_return http::message_response(200, "Endpoint has been paused");
}

Task<http::Response> resume(Services& services, http::RequestContext& context) {
  const auto url = co_await find_endpoint_url(services, context);
  if (!url) co_return error_response(url.error());
  const auto resumed = co_await services.deliveries.resume(*url);
  if (!resumed) co_return error_response(resumed.error());
  co_return http::message_response(200, "Endpoint has been resumed");
}

}  // namespace

std::vector<http::Route> endpoint_routes(Services& services) {
  const std::string base = "/eventhorn/v1/endpoints";
  return {
      {"GET", base, Access::kKey, kNoBody, bound(services, list)},
      {"GET", base + "/{id}", Access::kKey, kNoBody, bound(services, get)},
      {"POST", base + "/{id}/pause", Access::kKey, kFormBody, bound(services, pause)},
      {"POST", base + "/{id}/resume", Access::kKey, kFormBody, bound(services, resume)},
  };
}

}  // namespace eventhorn::api
