#include "api/own/replay_events.h"

#include "api/own/find_lanes.h"
#include "api/own/read_events.h"
#include "api/own/replay_plan.h"
#include "base/strings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace eventhorn::api {
namespace {

std::vector<LaneRef> lanes_of(const store::StoredEvent& event, const std::vector<LaneRef>& lanes) {
  std::vector<LaneRef> out;
  const auto hook = webhook::hook_for(event.event.name, event.event.severity);
  if (!hook) return out;
  for (const auto& lane : lanes) {
    if (lane.domain->since(lane.config->id)[static_cast<size_t>(*hook)]) out.push_back(lane);
  }
  return out;
}

/// Some of a domain's events, with the lanes that take each.
struct EventsPlan {
  std::vector<Position> positions;
  std::vector<std::vector<LaneRef>> lanes;  // of each position
  ReplaySize size;
};

Task<Result<EventsPlan>> plan_events(Services& services, const ReplayRequest& asked) {
  EventsPlan out;
  std::vector<LaneRef> lanes;
  const auto no_event = [&](size_t i) {
    return fail(Errc::kNotFound,
                "event: " + clipped(asked.events[i], event::kMaxIdBytes) + " not found");
  };
  const auto find = [&]() -> Status {
    TRY(lanes, find_lanes(services.directory, asked.scope));
    const auto domain = asked.scope.domain.empty() ? lanes.front().domain
                                                   : services.directory.find(asked.scope.domain);
    if (!domain) return fail(Errc::kNotFound, "Domain not found");
    TRY(out.positions, services.store.log.find_events(domain->uid, asked.events));
    const auto unknown = std::ranges::find(out.positions, kNoPosition);
    if (unknown == out.positions.end()) return {};
    return no_event(static_cast<size_t>(unknown - out.positions.begin()));
  };
  CO_TRY_STATUS(co_await run_blocking(services.readers, find));
  std::optional<size_t> gone;  // by retention, which ids outlive
  const auto look = [&](size_t i, const store::EventPtr& event) {
    out.lanes.push_back(event ? lanes_of(*event, lanes) : std::vector<LaneRef>());
    if (!event && !gone) gone = i;
    for (const auto& lane : out.lanes.back())
      out.size.add(lane.config->url, {1, event->event.bytes.size()});
  };
  CO_TRY_STATUS(co_await with_events(services, out.positions, look));
  if (gone) co_return no_event(*gone);
  co_return out;
}

Task<Status> send_events(Services& services, const EventsPlan& plan) {
  for (size_t i = 0; i < plan.positions.size(); i += kEventsPerStep) {
    const auto first = plan.positions.begin() + static_cast<std::ptrdiff_t>(i);
    const size_t count = std::min(kEventsPerStep, plan.positions.size() - i);
    const std::vector<Position> some(first, first + static_cast<std::ptrdiff_t>(count));
    const auto read = [&] { return services.store.log.read_events(some); };
    CO_TRY(const auto events, co_await run_blocking(services.readers, read));
    std::map<LaneId, std::pair<std::string, std::vector<store::EventPtr>>> by_lane;
    for (size_t k = 0; k < count; ++k) {
      for (const auto& lane : plan.lanes[i + k]) {
        auto& [url, of_lane] = by_lane[lane.config->id];
        url = lane.config->url;
        if (events[k]) of_lane.push_back(events[k]);
      }
    }
    for (auto& [id, to] : by_lane) {
      auto sent = co_await services.deliveries.attempt_again(id, to.first, std::move(to.second));
      // The URL was removed meanwhile: nothing to send to.
      if (!sent && sent.error().code != Errc::kNotFound) co_return sent;
    }
  }
  co_return Status();
}

}  // namespace

Task<http::Reply> replay_events(Services& services, const ReplayRequest& asked) {
  CO_TRY(const auto plan, co_await plan_events(services, asked));
  if (!asked.dry_run) {
    if (plan.size.total().events == 0)
      co_return http::message_response(404, "event: no webhook of the domain takes it");
    CO_TRY_STATUS(co_await send_events(services, plan));
  }
  auto body = co_await plan.size.to_json(services);
  co_return http::json_response(200, std::move(body));
}

}  // namespace eventhorn::api
