#include "api/own/control.h"

#include "base/dates.h"
#include "base/duration.h"
#include "base/strings.h"
#include "control/endpoint_settings.h"
#include "webhook/retry_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace eventhorn::api {
namespace {

constexpr size_t kMaxLimit = 300;
constexpr size_t kEventsPerStep = 16;  // of up to a megabyte each
// 16 KiB of a request's head hold the URL.
constexpr size_t kMaxPageBytes = 256;

}  // namespace

Result<ListQuery> read_list_query(const http::Request& request) {
  ListQuery out;
  TRY(out.query, http::parse_query(request.query));
  if (const auto text = out.query.first("limit"); text && !text->empty()) {
    const auto limit = parse_uint(*text);
    if (!limit || *limit < 1 || *limit > kMaxLimit) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("limit: must be a number from 1 to {}", kMaxLimit));
    }
    out.limit = *limit;
  }
  out.page = out.query.first("page").value_or("");
  if (out.page.size() > kMaxPageBytes)
    return fail(Errc::kInvalidArgument, "page: is not of a list");
  return out;
}

void end_list(json::Writer& writer, const http::Request& request, std::string_view page) {
  std::string url = request.base + request.path;
  char separator = '?';
  for (const auto piece : split(request.query, '&')) {
    if (piece.empty() || piece.starts_with("page=")) continue;
    url.append(1, separator).append(piece);
    separator = '&';
  }
  if (!page.empty()) url.append(1, separator).append("page=").append(page);
  writer.end_array().key("paging").begin_object().key("next").value(url).end_object().end_object();
}

void write_time(json::Writer& writer, std::string_view key, std::optional<SystemTime> time) {
  writer.key(key);
  if (time) {
    writer.value(format_iso8601(*time));
  } else {
    writer.value(nullptr);
  }
}

void write_status(json::Writer& writer, std::string_view key, int status) {
  writer.key(key);
  if (status != 0) {
    writer.value(status);
  } else {
    writer.value(nullptr);
  }
}

void write_eta(json::Writer& writer, std::string_view key, uint64_t events, double rate) {
  writer.key(key);
  if (events == 0) {
    writer.value(0);
  } else if (rate > 0) {
    // Not beyond what every reader of JSON takes for an integer.
    writer.value(
        static_cast<uint64_t>(std::min(std::ceil(static_cast<double>(events) / rate), 1e15)));
  } else {
    writer.value(nullptr);
  }
}

Result<std::optional<std::vector<std::chrono::milliseconds>>> parse_schedule(
    const http::Form& form) {
  using Schedule = std::optional<std::vector<std::chrono::milliseconds>>;
  std::vector<std::string> texts;
  for (const auto field : form.all("retry_schedule")) {
    for (const auto text : split(field, ',')) {
      if (const auto entry = trim(text); !entry.empty()) texts.emplace_back(entry);
    }
  }
  if (texts.empty()) return Schedule();
  const auto parsed = webhook::RetrySchedule::parse(texts);
  if (!parsed) return fail(parsed.error().code, "retry_schedule: " + parsed.error().message);
  return Schedule(parsed->delays());
}

void write_schedule(json::Writer& writer, std::string_view key,
                    const std::optional<std::vector<std::chrono::milliseconds>>& schedule) {
  writer.key(key);
  if (!schedule) {
    writer.value(nullptr);
    return;
  }
  writer.begin_array();
  for (const auto delay : *schedule) writer.value(format_duration(delay));
  writer.end_array();
}

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
  TRY(const auto settings, control::load_endpoint_settings(services.store));
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

Task<Status> with_events(Services& services, const std::vector<Position>& positions,
                         const std::function<void(size_t, const store::EventPtr&)>& use) {
  for (size_t i = 0; i < positions.size(); i += kEventsPerStep) {
    const auto step = [&]() -> Status {
      const size_t end = std::min(positions.size(), i + kEventsPerStep);
      const auto events =
          services.store.read_events({positions.begin() + static_cast<std::ptrdiff_t>(i),
                                      positions.begin() + static_cast<std::ptrdiff_t>(end)});
      // While the store works, an event that cannot be read costs itself alone.
      if (!events && !services.health.status()) return fail(events.error());
      for (size_t k = i; k < end; ++k) {
        if (events) {
          use(k, (*events)[k - i]);
          continue;
        }
        const auto one = services.store.read_events({positions[k]});
        use(k, one ? one->front() : nullptr);
      }
      return {};
    };
    CO_TRY_STATUS(co_await run_blocking(services.readers, step));
  }
  co_return Status();
}

Result<std::vector<LaneRef>> find_lanes(const store::Directory& directory, const LaneFilter& filter,
                                        LaneId after, size_t limit) {
  std::vector<LaneRef> out;
  if (filter.domain.empty() && !filter.lane) {
    for (const auto& [id, domain] : directory.lanes(after, limit, filter.url))
      out.push_back({domain, domain->find_lane(id)});
    return out;
  }
  const bool by_lane = filter.lane && filter.domain.empty();
  const auto domain = by_lane ? directory.find(*filter.lane) : directory.find(filter.domain);
  if (!domain) {
    return fail(Errc::kNotFound, by_lane ? "Lane not found" : "Domain not found");
  }
  for (const auto& lane : domain->lanes) {
    if (filter.url.empty() || lane.url == filter.url) out.push_back({domain, &lane});
  }
  if (out.empty() && !filter.domain.empty() && !filter.url.empty())
    return fail(Errc::kNotFound, "url: no webhook of the domain names it");
  if (filter.lane) {
    std::erase_if(out, [&](const LaneRef& ref) { return ref.config->id != *filter.lane; });
    if (out.empty()) return fail(Errc::kNotFound, "Lane not found");
  }
  std::erase_if(out, [&](const LaneRef& ref) { return ref.config->id <= after; });
  std::ranges::sort(out, {}, [](const LaneRef& ref) { return ref.config->id; });
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace eventhorn::api
