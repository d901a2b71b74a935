#include "api/control.h"

#include "base/duration.h"
#include "base/strings.h"
#include "crypto/hash.h"
#include "store/settings.h"
#include "webhook/retry_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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
  return to_hex(crypto::bytes_of(crypto::sha256(url))).substr(0, kEndpointIdBytes);
}

Task<Result<std::unordered_map<std::string, store::EndpointStatus>>> known_endpoints(
    Services& services) {
  using Endpoints = std::unordered_map<std::string, store::EndpointStatus>;
  auto live = co_await services.deliveries.endpoints();
  const auto join = [&]() -> Result<Endpoints> {
    Endpoints out;
    for (auto& status : live) {
      auto id = endpoint_id(status.url);
      out.emplace(std::move(id), std::move(status));
    }
    const auto add = [&](const std::string& url) {
      auto& status = out[endpoint_id(url)];
      if (status.url.empty()) status.url = url;
    };
    for (const auto& domain : services.directory.all()) {
      for (const auto& lane : domain->lanes) add(lane.url);
    }
    TRY(const auto settings, store::load_endpoint_settings(services.store));
    for (const auto& [url, of_url] : settings) add(url);
    return out;
  };
  auto out = co_await run_blocking(services.readers, join);
  co_return out;
}

Task<Result<std::string>> find_endpoint_url(Services& services,
                                            const http::RequestContext& context) {
  const auto known = co_await known_endpoints(services);
  if (!known) co_return fail(known.error());
  const auto found = known->find(to_lower(context.params.at("id")));
  if (found == known->end()) co_return fail(Errc::kNotFound, "Endpoint not found");
  co_return found->second.url;
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
      if (!events && !services.commits.status()) return fail(events.error());
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
    auto done = co_await run_blocking(services.readers, step);
    if (!done) co_return done;
  }
  co_return Status();
}

std::unordered_map<DomainUid, store::DomainPtr> domains_by_uid(const store::Directory& directory) {
  std::unordered_map<DomainUid, store::DomainPtr> out;
  for (auto& domain : directory.all()) out.emplace(domain->uid, domain);
  return out;
}

Result<std::vector<LaneRef>> find_lanes(const store::Directory& directory,
                                        const LaneFilter& filter) {
  std::vector<LaneRef> out;
  const auto add = [&](const store::DomainPtr& of) {
    for (const auto& lane : of->lanes) {
      if (filter.url.empty() || lane.url == filter.url) out.push_back({of, &lane});
    }
  };
  if (filter.domain.empty()) {
    for (const auto& each : directory.all()) add(each);
  } else {
    const auto found = directory.find(filter.domain);
    if (!found) return fail(Errc::kNotFound, "Domain not found");
    add(found);
    if (out.empty() && !filter.url.empty())
      return fail(Errc::kNotFound, "url: no webhook of the domain names it");
  }
  if (filter.lane) {
    std::erase_if(out, [&](const LaneRef& ref) { return ref.config->id != *filter.lane; });
    if (out.empty()) return fail(Errc::kNotFound, "Lane not found");
  }
  std::ranges::sort(out, {}, [](const LaneRef& ref) { return ref.config->id; });
  return out;
}

}  // namespace eventhorn::api
