// /eventhorn/v1/replay: events sent once more, by their ids (replay_events.h), by time of receipt,
// or all that were missed. The latter two are segments in lanes, and a record.
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/backlog.h"
#include "api/own/find_lanes.h"
#include "api/own/replay_events.h"
#include "api/own/replay_plan.h"
#include "api/own/replay_records.h"
#include "api/own/replay_request.h"
#include "api/own/write.h"
#include "base/strings.h"
#include "json/writer.h"
#include "webhook/url.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::api {
namespace {

using control::ReplayAction;

/// Segments of replays in all lanes.
struct LiveReplays {
  struct Live {
    bool paused = false;
    std::vector<std::pair<const control::LaneStatus*, const store::SegmentRow*>> segments;
  };

  std::vector<control::LaneStatus> lanes;
  std::unordered_map<uint64_t, Live> by_id;

  std::unordered_set<uint64_t> ids() const {
    std::unordered_set<uint64_t> out;
    for (const auto& [id, live] : by_id) out.insert(id);
    return out;
  }
};

Task<LiveReplays> find_live(Services& services) {
  LiveReplays out;
  out.lanes = co_await services.deliveries.replaying();
  for (const auto& lane : out.lanes) {
    for (const auto& segment : lane.segments) {
      if (segment.replay == 0) continue;
      auto& live = out.by_id[segment.replay];
      live.paused = live.paused || segment.paused;
      live.segments.emplace_back(&lane, &segment);
    }
  }
  co_return out;
}

// Told by the segments, where they tell: the record may be a step behind after a crash.
std::string_view state_of(const ReplayRecord& record, const LiveReplays& live) {
  const auto found = live.by_id.find(record.id);
  const bool ended = found == live.by_id.end();
  if (ended && record.cancelled) return "cancelled";
  if (!record.prepared) return "preparing";
  if (ended) return "done";
  return found->second.paused ? "paused" : "running";
}

void write_replay(json::Writer& w, const ReplayRecord& record, std::string_view state,
                  uint64_t remaining) {
  w.begin_object().key("id").value(std::to_string(record.id));
  w.key("state").value(state);
  write_text(w, "domain", record.domain);
  write_text(w, "url", webhook::masked(record.url));
  write_text(w, "lane", record.lane ? std::to_string(record.lane->value) : "");
  w.key("missed").value(!record.begin);
  write_time(w, "begin", record.begin);
  write_time(w, "end", record.end);
  write_time(w, "created_at", record.created);
  w.key("lanes").value(record.lanes);
  w.key("events").value(record.events).key("bytes").value(record.bytes);
  w.key("remaining").value(remaining);
  w.end_object();
}

/// One step of a reader for each segment.
Task<Result<uint64_t>> count_remaining(Services& services, const LiveReplays& live, uint64_t id,
                                       Deadline deadline) {
  const auto found = live.by_id.find(id);
  if (found == live.by_id.end()) co_return 0;
  uint64_t out = 0;
  for (const auto& [lane, segment] : found->second.segments) {
    const auto domain = services.directory.find(lane->domain);
    if (!domain) continue;
    if (services.clock.steady_now() >= deadline)
      co_return fail(Errc::kTimeout, "counting what remains took too long: ask for one replay");
    const auto count = [&] {
      return count_segment(services.store.lanes, *domain, lane->id, *segment,
                           segment->to.value_or(lane->through));
    };
    CO_TRY(const auto counted, co_await run_blocking(services.readers, count));
    out += counted.events;
  }
  co_return out;
}

Task<http::Reply> show(Services& services, const ReplayRecord& record, Deadline deadline) {
  const auto live = co_await find_live(services);
  CO_TRY(const auto remaining, co_await count_remaining(services, live, record.id, deadline));
  std::string body;
  json::Writer w(body);
  write_replay(w, record, state_of(record, live), remaining);
  co_return http::json_response(200, std::move(body));
}

// Nothing is begun that a lane would refuse in the middle.
Status check_room(const std::vector<PlannedLane>& plan, const LiveReplays& live) {
  std::unordered_map<LaneId, size_t> used;
  for (const auto& [id, replay] : live.by_id) {
    for (const auto& [lane, segment] : replay.segments) ++used[lane->id];
  }
  for (const auto& planned : plan) {
    const auto it = used.find(planned.lane.config->id);
    const size_t have = it == used.end() ? 0 : it->second;
    if (have + planned.segments.size() <= control::kMaxReplaySegments) continue;
    return fail(Errc::kRateLimited,
                fmt::format("lane {} has {} segments of replays, of at most {}: wait until a "
                            "replay has ended, or cancel one",
                            planned.lane.config->id.value, have, control::kMaxReplaySegments));
  }
  return {};
}

Task<Status> cancel_replay(Services& services, ReplayRecords& records, uint64_t id) {
  const auto mark = [&]() -> Status {
    TRY(const auto record, records.change(id, [](ReplayRecord& r) { r.cancelled = true; }));
    return {};
  };
  CO_TRY_STATUS(co_await run_blocking(services.writer, mark));
  auto cancelled = co_await services.deliveries.change_replay(id, ReplayAction::kCancel);
  co_return cancelled;
}

Task<Status> add_all(Services& services, std::vector<PlannedLane>& plan, uint64_t id,
                     Deadline deadline) {
  for (auto& planned : plan) {
    if (services.clock.steady_now() >= deadline) {
      co_return fail(Errc::kTimeout,
                     "the replay has too many lanes to begin in time: ask for one domain or url");
    }
    for (auto& segment : planned.segments) segment.replay = id;
    auto added = co_await services.deliveries.add_segments(
        planned.lane.config->id, planned.lane.domain->uid, planned.lane.config->url,
        std::move(planned.segments));
    if (!added && added.error().code != Errc::kNotFound) co_return added;
  }
  co_return Status();
}

// The record comes first and says so when all is added: what a crash leaves half done shows as
// "preparing" for ever, and can be cancelled.
Task<http::Reply> begin_replay(Services& services, ReplayRecords& records, const ReplayScope& scope,
                               std::vector<PlannedLane> plan, const ReplaySize& size,
                               Deadline deadline) {
  const auto live = co_await find_live(services);
  CO_TRY_STATUS(check_room(plan, live));
  ReplayRecord record;
  record.domain = scope.domain;
  record.url = scope.url;
  record.lane = scope.lane;
  record.begin = scope.begin;
  record.end = scope.end;
  record.created = services.clock.now();
  record.lanes = plan.size();
  record.events = size.total().events;
  record.bytes = size.total().bytes;
  const auto save = [&] { return records.add(record, live.ids()); };
  CO_TRY(const auto saved, co_await run_blocking(services.writer, save));
  const auto added = co_await add_all(services, plan, saved.id, deadline);
  if (!added) {
    const auto cancelled = co_await cancel_replay(services, records, saved.id);
    co_return fail(cancelled ? added.error() : cancelled.error());
  }
  const auto finish = [&] {
    return records.change(saved.id, [](ReplayRecord& r) { r.prepared = true; });
  };
  CO_TRY(const auto finished, co_await run_blocking(services.writer, finish));
  if (finished.cancelled) {
    // Between its first segments and the last.
    CO_TRY_STATUS(co_await cancel_replay(services, records, saved.id));
  }
  auto out = co_await show(services, finished, deadline);
  co_return out;
}

Task<http::Reply> create(Services& services, ReplayRecords& records,
                         http::RequestContext& context) {
  CO_TRY(const auto form, read_fields(context.request, kReplayFields));
  CO_TRY(const auto asked, parse_replay_request(form, later_now(services)));
  if (!asked.events.empty()) {
    auto out = co_await replay_events(services, asked);
    co_return out;
  }
  CO_TRY(auto plan, co_await plan_replay(services, asked.scope, context.deadline));
  ReplaySize size;
  for (const auto& planned : plan) size.add(planned.lane.config->url, planned.count);
  if (asked.dry_run) {
    auto body = co_await size.to_json(services);
    co_return http::json_response(200, std::move(body));
  }
  auto out = co_await begin_replay(services, records, asked.scope, std::move(plan), size,
                                   context.deadline);
  co_return out;
}

Task<Result<ReplayRecord>> find_record(Services& services, ReplayRecords& records,
                                       const http::RequestContext& context) {
  const auto id = parse_uint(context.params.at("id"));
  if (!id) co_return fail(Errc::kNotFound, "Replay not found");
  const auto find = [&] { return records.find(*id); };
  auto record = co_await run_blocking(services.readers, find);
  co_return record;
}

Task<http::Reply> list(Services& services, ReplayRecords& records, http::RequestContext& context) {
  CO_TRY(const auto query, read_list_query(context.request));
  uint64_t before = UINT64_MAX;
  if (!query.page.empty()) {
    CO_TRY(const auto place, parse_place(query.page, 1));
    before = place[0];
  }
  const auto read = [&] { return records.all(); };
  CO_TRY(const auto all, co_await run_blocking(services.readers, read));
  const auto live = co_await find_live(services);
  List out;
  std::string page = query.page;
  size_t shown = 0;
  for (const auto& record : all) {
    if (record.id >= before || shown == query.limit) continue;
    CO_TRY(const auto remaining,
           co_await count_remaining(services, live, record.id, context.deadline));
    write_replay(out.items(), record, state_of(record, live), remaining);
    page = format_place({record.id});
    ++shown;
  }
  co_return http::json_response(200, out.finish(next_url(context.request, page)));
}

Task<http::Reply> get(Services& services, ReplayRecords& records, http::RequestContext& context) {
  CO_TRY(const auto record, co_await find_record(services, records, context));
  auto out = co_await show(services, record, context.deadline);
  co_return out;
}

Task<http::Reply> pause_or_resume(Services& services, ReplayRecords& records,
                                  http::RequestContext& context, ReplayAction action,
                                  std::string_view done) {
  CO_TRY(const auto record, co_await find_record(services, records, context));
  const auto live = co_await find_live(services);
  const auto state = state_of(record, live);
  if (state != "running" && state != "paused")
    co_return http::message_response(409, fmt::format("the replay is {}", state));
  CO_TRY_STATUS(co_await services.deliveries.change_replay(record.id, action));
  co_return http::message_response(200, done);
}

Task<http::Reply> pause(Services& services, ReplayRecords& records, http::RequestContext& context) {
  auto out = co_await pause_or_resume(services, records, context, ReplayAction::kPause,
                                      "Replay has been paused");
  co_return out;
}

Task<http::Reply> resume(Services& services, ReplayRecords& records,
                         http::RequestContext& context) {
  auto out = co_await pause_or_resume(services, records, context, ReplayAction::kResume,
                                      "Replay has been resumed");
  co_return out;
}

Task<http::Reply> cancel(Services& services, ReplayRecords& records,
                         http::RequestContext& context) {
  CO_TRY(const auto record, co_await find_record(services, records, context));
  const auto live = co_await find_live(services);
  const auto state = state_of(record, live);
  if (state == "done" || state == "cancelled")
    co_return http::message_response(409, fmt::format("the replay is {}", state));
  CO_TRY_STATUS(co_await cancel_replay(services, records, record.id));
  co_return http::message_response(200, "Replay has been cancelled");
}

}  // namespace

std::vector<http::Route> replay_routes(Services& services) {
  using ReplayHandler = Task<http::Reply> (*)(Services&, ReplayRecords&, http::RequestContext&);
  const auto records = std::make_shared<ReplayRecords>(services.store.values);
  const auto with = [&](ReplayHandler handler) -> http::RouteHandler {
    return [&services, records, handler](http::RequestContext& context) {
      return handler(services, *records, context);
    };
  };
  const std::string base = "/eventhorn/v1/replay";
  return {
      {"POST", base, Access::kKey, kFormBody, with(create)},
      {"GET", base, Access::kKey, kNoBody, with(list)},
      {"GET", base + "/{id}", Access::kKey, kNoBody, with(get)},
      {"POST", base + "/{id}/pause", Access::kKey, kNoBody, without_fields(with(pause))},
      {"POST", base + "/{id}/resume", Access::kKey, kNoBody, without_fields(with(resume))},
      {"POST", base + "/{id}/cancel", Access::kKey, kNoBody, without_fields(with(cancel))},
  };
}

}  // namespace eventhorn::api
