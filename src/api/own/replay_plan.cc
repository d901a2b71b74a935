#include "api/own/replay_plan.h"

#include "api/own/backlog.h"
#include "api/own/write.h"
#include "base/check.h"

#include <algorithm>
#include <cmath>

namespace eventhorn::api {
namespace {

using store::SegmentRow;

// Lanes looked at by one step on a reader's thread: a few milliseconds, then others have their
// turn.
constexpr size_t kLanesPerStep = 32;

Result<std::optional<SegmentRow>> whole_segment(const StoreAccess& store, const ReplayScope& scope,
                                                LaneId lane) {
  SegmentRow out;
  Position to = store.log.head();
  if (scope.begin) {
    CHECK(scope.end);
    TRY(out.after, store.log.position_before(*scope.begin));
    TRY(const auto last, store.log.position_before(*scope.end));
    to = std::min(to, last);
  } else {
    TRY(const auto first, store.progress.read_exceptions(lane, kNoPosition, 1, true));
    if (first.empty()) return std::optional<SegmentRow>();
    out.after = store::just_before(first.front().position);
    out.source = SegmentRow::Source::kMissed;
  }
  if (out.after >= to) return std::optional<SegmentRow>();
  out.to = to;
  out.acked_through = out.after;
  return std::optional(out);
}

// A segment of a replay takes what its lane's hooks name, whatever their `since`: so must the
// count.
Result<PlannedLane> plan_lane(const StoreAccess& store, const ReplayScope& scope,
                              const LaneRef& lane) {
  PlannedLane out{lane, {}, {}};
  TRY(auto whole, whole_segment(store, scope, lane.config->id));
  if (!whole) return out;
  auto segment = *whole;
  CHECK(segment.to);
  segment.replay = 1;
  for (const auto cls : kClasses) {
    segment.cls = cls;
    TRY(const auto count,
        count_segment(store.lanes, *lane.domain, lane.config->id, segment, *segment.to));
    if (count.events == 0) continue;
    out.segments.push_back(segment);
    out.count.events += count.events;
    out.count.bytes += count.bytes;
  }
  return out;
}

}  // namespace

Task<Result<std::vector<PlannedLane>>> plan_replay(Services& services, const ReplayScope& scope,
                                                   Deadline deadline) {
  const auto find = [&] { return find_lanes(services.directory, scope); };
  CO_TRY(const auto lanes, co_await run_blocking(services.readers, find));
  std::vector<PlannedLane> out;
  for (size_t i = 0; i < lanes.size(); i += kLanesPerStep) {
    if (services.clock.steady_now() >= deadline) {
      co_return fail(Errc::kTimeout,
                     "the replay has too many lanes to plan in time: ask for one domain or url");
    }
    const size_t end = std::min(lanes.size(), i + kLanesPerStep);
    const auto step = [&]() -> Status {
      for (size_t k = i; k < end; ++k) {
        TRY(auto planned, plan_lane(services.store, scope, lanes[k]));
        if (!planned.segments.empty()) out.push_back(std::move(planned));
      }
      return {};
    };
    CO_TRY_STATUS(co_await run_blocking(services.readers, step));
  }
  co_return out;
}

void ReplaySize::add(const std::string& url, const store::EventCount& count) {
  total_.events += count.events;
  total_.bytes += count.bytes;
  by_url_[url] += count.events;
}

Task<std::string> ReplaySize::to_json(Services& services) const {
  std::vector<std::string> urls;
  for (const auto& [url, of_url] : by_url_) urls.push_back(url);
  const auto endpoints = co_await services.deliveries.endpoints_of(std::move(urls));
  std::unordered_map<std::string, double> rates;
  for (const auto& endpoint : endpoints) rates[endpoint.url] = endpoint.pace;
  // URLs are served side by side: the slowest decides.
  uint64_t events = 0;
  double rate = 1;
  double longest = 0;
  for (const auto& [url, of_url] : by_url_) {
    const double seconds = rates[url] > 0 ? static_cast<double>(of_url) / rates[url] : INFINITY;
    if (of_url == 0 || seconds < longest) continue;
    longest = seconds;
    events = of_url;
    rate = rates[url];
  }
  std::string out;
  json::Writer w(out);
  w.begin_object().key("events").value(total_.events).key("bytes").value(total_.bytes);
  write_eta(w, "seconds", events, rate);
  w.end_object();
  co_return out;
}

}  // namespace eventhorn::api
