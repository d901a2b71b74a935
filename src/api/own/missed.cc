// GET /eventhorn/v1/missed: the events that were given up after their last attempt.
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/find_lanes.h"
#include "api/own/read_events.h"
#include "api/own/write.h"
#include "base/strings.h"
#include "json/reader.h"
#include "json/writer.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::api {
namespace {

// What one step on a reader's thread looks at: other requests want them too.
constexpr size_t kLanesPerStep = 256;

struct Missed {
  LaneRef lane;
  store::ExceptionRow row;
};

/// A place in the list: after this row of this lane.
struct Place {
  LaneId lane;
  Position position;
};

Result<Place> read_place(std::string_view page) {
  if (page.empty()) return Place{};
  TRY(const auto numbers, parse_place(page, 2));
  return Place{{numbers[0]}, {numbers[1]}};
}

// Rows of the lanes from `lane` on, which it moves to where the next step begins.
Status read_step(store::ProgressReader& progress, const std::vector<LaneRef>& lanes, size_t& lane,
                 Place from, size_t limit, std::vector<Missed>& out) {
  const size_t end = std::min(lanes.size(), lane + kLanesPerStep);
  for (; lane < end && out.size() < limit; ++lane) {
    const auto& ref = lanes[lane];
    const Position after = ref.config->id == from.lane ? from.position : kNoPosition;
    TRY(const auto rows, progress.read_exceptions(ref.config->id, after, limit - out.size(), true));
    for (const auto& row : rows) out.push_back({ref, row});
  }
  return {};
}

Task<Result<std::vector<Missed>>> read_missed(Services& services, const ListQuery& query,
                                              Deadline deadline) {
  CO_TRY(const auto from, read_place(query.page));
  const std::string domain = to_lower(query.query.first("domain").value_or(""));
  const std::string url(query.query.first("url").value_or(""));
  const auto find = [&] { return find_lanes(services.directory, {domain, url}); };
  CO_TRY(const auto lanes, co_await run_blocking(services.readers, find));
  std::vector<Missed> out;
  auto lane =
      static_cast<size_t>(std::ranges::lower_bound(lanes, from.lane, {},
                                                   [](const LaneRef& r) { return r.config->id; }) -
                          lanes.begin());
  const auto step = [&] {
    return read_step(services.store.progress, lanes, lane, from, query.limit, out);
  };
  while (lane < lanes.size() && out.size() < query.limit) {
    CO_TRY_STATUS(co_await run_blocking(services.readers, step));
    if (services.clock.steady_now() < deadline) continue;
    if (out.empty())
      co_return fail(Errc::kTimeout, "the search took too long: ask for one domain or url");
    break;
  }
  co_return out;
}

// Of the event's own text; null when it has none.
void write_member(json::Writer& w, const json::Value* event, std::string_view key) {
  const auto* value = event == nullptr ? nullptr : event->find(key);
  const auto* text = value == nullptr ? nullptr : value->as_string();
  w.key(key).value(text == nullptr ? std::nullopt : std::optional(*text));
}

void write_missed(json::Writer& w, const Missed& missed, const store::StoredEvent* event) {
  const auto parsed =
      event == nullptr ? Result<json::Value>(json::Value()) : json::parse(event->event.bytes);
  const auto* fields = parsed ? &*parsed : nullptr;
  w.begin_object();
  write_member(w, fields, "id");
  write_member(w, fields, "event");
  write_member(w, fields, "recipient");
  write_time(
      w, "time",
      event == nullptr ? std::nullopt : std::optional(from_micros(event->event.timestamp_us)));
  w.key("domain").value(missed.lane.domain->name);
  w.key("url").value(webhook::masked(missed.lane.config->url));
  w.key("lane").value(std::to_string(missed.lane.config->id.value));
  w.key("attempts").value(missed.row.attempts);
  write_time(w, "last_attempt", missed.row.last_attempt);
  write_status(w, "last_status", missed.row.last_status);
  w.key("expired").value(event == nullptr).end_object();
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, read_list_query(context.request));
  CO_TRY(const auto missed, co_await read_missed(services, query, context.deadline));
  List out;
  std::vector<Position> positions;
  for (const auto& each : missed) positions.push_back(each.row.position);
  const auto write = [&](size_t i, const store::EventPtr& event) {
    write_missed(out.items(), missed[i], event.get());
  };
  CO_TRY_STATUS(co_await with_events(services, positions, write));
  std::string page = query.page;
  if (!missed.empty()) {
    const auto& last = missed.back();
    page = format_place({last.lane.config->id.value, last.row.position.value});
  }
  co_return http::json_response(200, out.finish(next_url(context.request, page)));
}

}  // namespace

std::vector<http::Route> missed_routes(Services& services) {
  return {{"GET", "/eventhorn/v1/missed", Access::kKey, kNoBody, bound(services, list)}};
}

}  // namespace eventhorn::api
