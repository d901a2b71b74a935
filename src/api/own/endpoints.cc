// /eventhorn/v1/endpoints: the health of every URL, and its operator's hold on it.
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/backlog.h"
#include "api/own/find_endpoints.h"
#include "api/own/write.h"
#include "base/strings.h"
#include "json/writer.h"
#include "webhook/url.h"

#include <cmath>

namespace eventhorn::api {
namespace {

using control::EndpointState;
using control::EndpointStatus;

constexpr EndpointState kStates[] = {EndpointState::kActive, EndpointState::kThrottled,
                                     EndpointState::kParked, EndpointState::kGone,
                                     EndpointState::kPaused};

Result<std::optional<EndpointState>> parse_state(std::string_view text) {
  if (text.empty()) return std::optional<EndpointState>();
  for (const auto state : kStates) {
    if (control::to_string(state) == text) return std::optional(state);
  }
  return fail(Errc::kInvalidArgument, "state: must be active, throttled, parked, gone or paused");
}

// Steps of one lane each: a URL may have thousands, and other requests want the readers too.
Task<Result<Backlog>> read_endpoint_backlog(Services& services, const EndpointStatus& endpoint,
                                            Deadline deadline) {
  Backlog out;
  if (endpoint.lanes == 0) co_return out;
  const auto lanes = co_await services.deliveries.lanes_of(endpoint.url);
  for (const auto& lane : lanes) {
    const auto domain = services.directory.find(lane.domain);
    if (!domain) continue;
    if (services.clock.steady_now() >= deadline) {
      co_return fail(Errc::kTimeout,
                     "counting the backlog took too long: ask for one url, or a lower limit");
    }
    const auto read = [&] { return read_backlog(services.store, *domain, lane); };
    CO_TRY(const auto backlog, co_await run_blocking(services.readers, read));
    out.add(backlog);
  }
  co_return out;
}

void write_endpoint(json::Writer& w, const EndpointStatus& endpoint, const Backlog& backlog,
                    SystemTime now) {
  w.begin_object().key("id").value(endpoint_id(endpoint.url));
  w.key("url").value(webhook::masked(endpoint.url));
  w.key("state").value(control::to_string(endpoint.state));
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

Task<http::Reply> write_list(Services& services, http::RequestContext& context,
                             const std::vector<EndpointStatus>& endpoints, std::string_view page) {
  List out;
  for (const auto& endpoint : endpoints) {
    CO_TRY(const auto backlog,
           co_await read_endpoint_backlog(services, endpoint, context.deadline));
    write_endpoint(out.items(), endpoint, backlog, services.clock.now());
  }
  co_return http::json_response(200, out.finish(next_url(context.request, page)));
}

// At most one: of the parameter `url`.
Task<Result<std::vector<EndpointStatus>>> read_one(Services& services, const std::string& url,
                                                   const EndpointQuery& query) {
  std::vector<EndpointStatus> out;
  const auto id = store::endpoint_id(url);
  if (query.after && id <= *query.after) co_return out;
  const auto known = co_await find_endpoint_url(services, store::to_text(id));
  if (!known && known.error().code == Errc::kNotFound) co_return out;
  if (!known) co_return fail(known.error());
  auto status = co_await services.deliveries.endpoint(url);
  if (!query.state || status.state == *query.state) out.push_back(std::move(status));
  co_return out;
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, read_list_query(context.request));
  CO_TRY(const auto state, parse_state(query.query.first("state").value_or("")));
  const auto after = store::parse_endpoint_id(query.page);
  const bool good_page = after ? store::to_text(*after) == query.page : query.page.empty();
  if (!good_page) co_return not_of_this_list();
  const EndpointQuery wanted{after, query.limit, state};
  const std::string url(query.query.first("url").value_or(""));
  auto found = Result<std::vector<EndpointStatus>>();
  if (url.empty()) {
    found = co_await read_endpoints(services, wanted, context.deadline);
  } else {
    found = co_await read_one(services, url, wanted);
  }
  if (!found) co_return fail(found.error());
  const std::string page = found->empty() ? query.page : store::to_text(found->back().id);
  auto out = co_await write_list(services, context, *found, page);
  co_return out;
}

Task<http::Reply> get(Services& services, http::RequestContext& context) {
  CO_TRY(const auto url, co_await find_endpoint_url(services, context));
  const auto endpoint = co_await services.deliveries.endpoint(url);
  CO_TRY(const auto backlog, co_await read_endpoint_backlog(services, endpoint, context.deadline));
  std::string body;
  json::Writer w(body);
  write_endpoint(w, endpoint, backlog, services.clock.now());
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> pause(Services& services, http::RequestContext& context) {
  CO_TRY(const auto url, co_await find_endpoint_url(services, context));
  CO_TRY_STATUS(co_await services.deliveries.pause(url));
  co_return http::message_response(200, "Endpoint has been paused");
}

Task<http::Reply> resume(Services& services, http::RequestContext& context) {
  CO_TRY(const auto url, co_await find_endpoint_url(services, context));
  CO_TRY_STATUS(co_await services.deliveries.resume(url));
  co_return http::message_response(200, "Endpoint has been resumed");
}

}  // namespace

std::vector<http::Route> endpoint_routes(Services& services) {
  const std::string base = "/eventhorn/v1/endpoints";
  return {
      {"GET", base, Access::kKey, kNoBody, bound(services, list)},
      {"GET", base + "/{id}", Access::kKey, kNoBody, bound(services, get)},
      {"POST", base + "/{id}/pause", Access::kKey, kNoBody, without_fields(bound(services, pause))},
      {"POST", base + "/{id}/resume", Access::kKey, kNoBody,
       without_fields(bound(services, resume))},
  };
}

}  // namespace eventhorn::api
