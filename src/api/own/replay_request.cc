#include "api/own/replay_request.h"

#include "api/event_range.h"
#include "api/parameters.h"
#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::api {
namespace {

constexpr size_t kMaxEvents = 1000;

tl::unexpected<Error> invalid(std::string message) {
  return fail(Errc::kInvalidArgument, std::move(message));
}

std::vector<std::string> event_ids(const http::Form& form) {
  std::vector<std::string> out;
  for (const auto* name : {"event", "events"}) {
    for (const auto id : form.all(name)) {
      if (!id.empty()) out.emplace_back(id);
    }
  }
  std::ranges::sort(out);
  const auto twice = std::ranges::unique(out);
  out.erase(twice.begin(), twice.end());
  return out;
}

Status parse_range(std::string_view begin, std::string_view end, SystemTime now,
                   ReplayScope& scope) {
  if (begin.empty()) return invalid("begin: must be given together with end");
  if (end.empty()) return invalid("end: must be given together with begin");
  TRY(const auto times, parse_event_range(begin, end, "yes", now));
  scope.begin = from_micros(times.from_us);
  scope.end = from_micros(times.to_us);
  return {};
}

}  // namespace

Result<ReplayRequest> parse_replay_request(const http::Form& form, SystemTime now) {
  const auto given = [&](std::string_view name) { return form.first(name).value_or(""); };
  ReplayRequest out;
  out.scope.domain = to_lower(given("domain"));
  out.scope.url = given("url");
  if (const auto lane = given("lane"); !lane.empty()) {
    const auto id = parse_uint(lane);
    if (!id || *id == 0) return invalid("lane: must be the id of a lane, a number");
    out.scope.lane = LaneId{*id};
  }
  TRY(const auto dry_run, parse_flag("dry_run", given("dry_run")));
  out.dry_run = dry_run.value_or(false);
  TRY(const auto missed, parse_flag("missed", given("missed")));
  out.events = event_ids(form);
  const bool range = !given("begin").empty() || !given("end").empty();
  if (int{missed.value_or(false)} + int{!out.events.empty()} + int{range} != 1)
    return invalid("give one of event, begin and end, and missed");
  if (!missed.value_or(false) && out.scope.domain.empty() && !out.scope.lane)
    return invalid("domain: must be given, or lane");
  if (out.events.size() > kMaxEvents)
    return invalid(fmt::format("events: must be at most {}", kMaxEvents));
  if (range) TRY_STATUS(parse_range(given("begin"), given("end"), now, out.scope));
  return out;
}

}  // namespace eventhorn::api
