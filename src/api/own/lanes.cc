// /eventhorn/v1/lanes: how far each URL of each domain has got.
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/backlog.h"
#include "api/own/find_endpoints.h"
#include "api/own/find_lanes.h"
#include "api/own/write.h"
#include "base/strings.h"
#include "json/writer.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::api {
namespace {

// Rows of missed events counted for a lane; with more the count is a floor.
constexpr size_t kMaxMissedCount = 10'000;

struct Lane {
  LaneRef ref;
  control::LaneStatus status;
};

struct Figures {
  Backlog backlog;
  size_t missed = 0;
};

Result<Figures> read_figures(const StoreAccess& store, const Lane& lane) {
  Figures out;
  TRY(out.backlog, read_backlog(store, *lane.ref.domain, lane.status));
  TRY(const auto missed,
      store.progress.read_exceptions(lane.status.id, kNoPosition, kMaxMissedCount + 1, true));
  out.missed = missed.size();
  return out;
}

void write_segment(json::Writer& w, const store::SegmentRow& segment) {
  w.begin_object().key("class").value(class_name(segment.cls));
  w.key("from").value(segment.after.value);
  w.key("to").value(segment.to ? std::optional(segment.to->value) : std::nullopt);
  w.key("acked_through").value(segment.acked_through.value);
  w.key("missed").value(segment.source == store::SegmentRow::Source::kMissed);
  write_text(w, "replay", segment.replay == 0 ? "" : std::to_string(segment.replay));
  w.key("paused").value(segment.paused).end_object();
}

void write_lane(json::Writer& w, const Lane& lane, const Figures& figures, double rate,
                SystemTime now) {
  const auto& status = lane.status;
  w.begin_object().key("id").value(std::to_string(status.id.value));
  w.key("domain").value(lane.ref.domain->name);
  w.key("url").value(webhook::masked(status.url));
  w.key("endpoint").value(endpoint_id(status.url));
  w.key("segments").begin_array();
  for (const auto& segment : status.segments) write_segment(w, segment);
  w.end_array();
  w.key("in_flight").value(status.in_flight);
  w.key("throttled").value(status.throttled);
  w.key("read_error").value(status.read_error);
  w.key("backlog");
  write_backlog(w, figures.backlog, now);
  w.key("missed").value(std::min(figures.missed, kMaxMissedCount));
  w.key("missed_is_more").value(figures.missed > kMaxMissedCount);
  write_eta(w, "eta_seconds", figures.backlog.events(), rate);
  w.end_object();
}

// As if nothing of it were unsettled: what delivery does not list.
Lane idle_lane(const LaneRef& ref) {
  Lane out{ref, {}};
  out.status.id = ref.config->id;
  out.status.domain = ref.domain->uid;
  out.status.url = ref.config->url;
  return out;
}

Result<std::vector<Lane>> lanes_of_page(const store::Directory& directory, const ListQuery& query,
                                        const std::string& url) {
  LaneId after;
  if (!query.page.empty()) {
    TRY(const auto place, parse_place(query.page, 1));
    after = {place[0]};
  }
  const std::string domain = to_lower(query.query.first("domain").value_or(""));
  TRY(const auto refs, find_lanes(directory, {domain, url}, after, query.limit));
  std::vector<Lane> out;
  for (const auto& ref : refs) out.push_back(idle_lane(ref));
  return out;
}

// What delivery knows of them.
Task<void> read_status(Services& services, std::vector<Lane>& lanes) {
  std::vector<LaneId> ids;
  for (const auto& lane : lanes) ids.push_back(lane.status.id);
  auto live = co_await services.deliveries.lanes(std::move(ids));
  std::unordered_map<LaneId, control::LaneStatus*> by_id;
  for (auto& status : live) by_id[status.id] = &status;
  for (auto& lane : lanes) {
    const auto found = by_id.find(lane.status.id);
    if (found != by_id.end()) lane.status = std::move(*found->second);
  }
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, read_list_query(context.request));
  const std::string url(query.query.first("url").value_or(""));
  const auto find = [&] { return lanes_of_page(services.directory, query, url); };
  CO_TRY(auto lanes, co_await run_blocking(services.readers, find));
  co_await read_status(services, lanes);
  std::vector<std::string> urls;
  for (const auto& lane : lanes) urls.push_back(lane.status.url);
  const auto endpoints = co_await services.deliveries.endpoints_of(std::move(urls));
  List out;
  for (size_t i = 0; i < lanes.size(); ++i) {
    const auto& lane = lanes[i];
    if (services.clock.steady_now() >= context.deadline) {
      co_return http::message_response(503,
                                       "counting the backlog took too long: ask for a lower limit");
    }
    const auto read = [&] { return read_figures(services.store, lane); };
    CO_TRY(const auto figures, co_await run_blocking(services.readers, read));
    write_lane(out.items(), lane, figures, endpoints[i].pace, services.clock.now());
  }
  const std::string page =
      lanes.empty() ? query.page : format_place({lanes.back().status.id.value});
  co_return http::json_response(200, out.finish(next_url(context.request, page)));
}

Task<http::Reply> get(Services& services, http::RequestContext& context) {
  const auto id = parse_uint(context.params.at("id"));
  const auto find = [&] {
    return find_lanes(services.directory, {"", "", LaneId{id.value_or(0)}});
  };
  CO_TRY(const auto refs, co_await run_blocking(services.readers, find));
  Lane lane = idle_lane(refs.front());
  lane.status =
      co_await services.deliveries.lane(lane.status.id, lane.status.domain, lane.status.url);
  const auto endpoint = co_await services.deliveries.endpoint(lane.status.url);
  const auto read = [&] { return read_figures(services.store, lane); };
  CO_TRY(const auto figures, co_await run_blocking(services.readers, read));
  std::string body;
  json::Writer w(body);
  write_lane(w, lane, figures, endpoint.pace, services.clock.now());
  co_return http::json_response(200, std::move(body));
}

}  // namespace

std::vector<http::Route> lane_routes(Services& services) {
  return {{"GET", "/eventhorn/v1/lanes", Access::kKey, kNoBody, bound(services, list)},
          {"GET", "/eventhorn/v1/lanes/{id}", Access::kKey, kNoBody, bound(services, get)}};
}

}  // namespace eventhorn::api
