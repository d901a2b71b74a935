// What operators see and ask for.
#include "base/log.h"
#include "delivery/engine.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

// What is looked at before the core looks after its other work.
constexpr size_t kEndpointsPerStep = 256;
constexpr size_t kLanesPerStep = 32;  // each may have thousands of settled ranges

}  // namespace

control::EndpointState Engine::state_of(const Endpoint& endpoint) const {
  switch (endpoint.health.state()) {
    case Health::State::kParked:
      return control::EndpointState::kParked;
    case Health::State::kGone:
      return control::EndpointState::kGone;
    case Health::State::kPaused:
      return control::EndpointState::kPaused;
    case Health::State::kActive:
      break;
  }
  const bool throttled =
      endpoint.waiting > 0 &&
      std::any_of(endpoint.lanes.begin(), endpoint.lanes.end(),
                  [&](const auto& entry) { return !retries_.allows(*entry.second); });
  return throttled ? control::EndpointState::kThrottled : control::EndpointState::kActive;
}

control::EndpointStatus Engine::status_of(const Endpoint& endpoint) const {
  const auto now = services_.clock.steady_now();
  control::EndpointStatus out;
  out.id = endpoint.id;
  out.url = endpoint.url;
  out.state = state_of(endpoint);
  out.reason = endpoint.reason;
  if (out.state == control::EndpointState::kThrottled && out.reason.empty())
    out.reason = "as many events wait for a retry as may";
  out.since = out.state == control::EndpointState::kThrottled && endpoint.throttled_since
                  ? endpoint.throttled_since
                  : std::optional(endpoint.since);
  out.last_success = endpoint.last_success;
  out.last_failure = endpoint.last_failure;
  const auto ready = endpoint.health.ready_at();
  if (ready > now && ready != SteadyTime::max()) {
    out.next_attempt = services_.clock.now() + std::chrono::duration_cast<Micros>(ready - now);
  }
  out.failures_in_row = endpoint.health.failures_in_row();
  out.in_flight = endpoint.workers;
  out.concurrency = endpoint.health.limit(now);
  out.waiting = endpoint.waiting;
  out.lanes = endpoint.lanes.size();
  out.rate = endpoint.rate.at(now);
  if (out.reason.empty() && endpoint.unreadable_lanes > 0)
    out.reason = "cannot read the log: " + endpoint.read_error;
  if (endpoint.health.state() == Health::State::kActive) out.pace = endpoint.rate.last();
  return out;
}

Task<std::vector<control::EndpointStatus>> Engine::endpoints(
    std::optional<store::EndpointId> after, size_t limit,
    std::optional<control::EndpointState> state) {
  std::vector<control::EndpointStatus> out;
  auto it = after ? endpoints_by_id_.upper_bound(*after) : endpoints_by_id_.begin();
  for (size_t seen = 1; it != endpoints_by_id_.end() && out.size() < limit; ++seen) {
    const auto id = it->first;
    if (!state || state_of(*it->second) == *state) out.push_back(status_of(*it->second));
    if (seen % kEndpointsPerStep == 0) co_await yield_now();
    it = endpoints_by_id_.upper_bound(id);
  }
  co_return out;
}

Task<std::vector<control::EndpointStatus>> Engine::endpoints_of(std::vector<std::string> urls) {
  std::vector<control::EndpointStatus> out;
  for (const auto& url : urls) {
    out.push_back(endpoint(url));
    if (out.size() % kEndpointsPerStep == 0) co_await yield_now();
  }
  co_return out;
}

control::EndpointStatus Engine::endpoint(const std::string& url) const {
  if (const auto it = endpoints_.find(url); it != endpoints_.end()) return status_of(*it->second);
  control::EndpointStatus idle;
  idle.id = store::endpoint_id(url);
  idle.url = url;
  idle.concurrency = Health(options_.health).limit(services_.clock.steady_now());
  return idle;
}

control::LaneStatus Engine::status_of(const Lane& lane) const {
  control::LaneStatus out;
  out.id = lane.id();
  out.domain = lane.domain();
  out.url = lane.url();
  out.segments = lane.row().segments;
  out.through = router_.through();
  out.waiting = lane.waiting().size();
  out.in_flight = lane.in_flight();
  out.read_error = lane.reading.error();
  out.throttled = !retries_.allows(lane);
  return out;
}

Task<std::vector<control::LaneStatus>> Engine::statuses(std::vector<LanePtr> lanes) {
  std::vector<control::LaneStatus> out;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (!lanes[i]->ended) out.push_back(status_of(*lanes[i]));
    if ((i + 1) % kLanesPerStep == 0) co_await yield_now();
  }
  co_return out;
}

Task<std::vector<control::LaneStatus>> Engine::lanes(std::vector<LaneId> ids) {
  std::vector<LanePtr> found;
  for (const LaneId id : ids) {
    if (const auto it = lanes_.find(id); it != lanes_.end()) found.push_back(it->second);
  }
  return statuses(std::move(found));
}

Task<std::vector<control::LaneStatus>> Engine::lanes_of(std::string url) {
  std::vector<LanePtr> found;
  if (const auto it = endpoints_.find(url); it != endpoints_.end()) {
    for (const auto& [id, lane] : it->second->lanes) found.push_back(lane);
  }
  return statuses(std::move(found));
}

std::vector<LanePtr> Engine::replaying_lanes() {
  std::vector<LanePtr> out;
  std::erase_if(replaying_, [&](LaneId id) {
    const auto lane = lanes_.find(id);
    const bool over =
        lane == lanes_.end() || std::ranges::none_of(lane->second->segments(), is_replaying);
    if (!over) out.push_back(lane->second);
    return over;
  });
  return out;
}

Task<std::vector<control::LaneStatus>> Engine::replaying() {
  return statuses(replaying_lanes());
}

// The picture first: what is decided while it is being saved shows as unsettled, never the other
// way round.
Task<control::LaneStatus> Engine::lane(LaneId id, DomainUid domain, std::string url) {
  control::LaneStatus out;
  out.id = id;
  out.domain = domain;
  out.url = std::move(url);
  out.through = router_.through();
  if (const auto it = lanes_.find(id); it != lanes_.end()) out = status_of(*it->second);
  // When the store takes nothing now, reading it will say so.
  (void)co_await saver_.flushed();
  co_return out;
}

Task<Status> Engine::pause(std::string url) {
  const auto endpoint = endpoint_of(url);
  if (endpoint->health.state() != Health::State::kPaused) {
    endpoint->health.pause();
    endpoint->since = services_.clock.now();
    endpoint->reason = "paused by its operator";
    log_info("delivery", "endpoint paused url={}", webhook::masked(url));
    spill(*endpoint);
    saver_.mark(endpoint);
  }
  auto saved = co_await saver_.flushed();
  co_return saved;
}

Task<Status> Engine::resume(std::string url) {
  const auto endpoint = endpoint_of(url);
  changed(endpoint, endpoint->health.resume(services_.clock.steady_now()),
          "resumed by its operator");
  auto saved = co_await saver_.flushed();
  co_return saved;
}

// Whoever names a URL that is gone wants it back.
Task<void> Engine::configured(std::string url) {
  const auto it = endpoints_.find(url);
  if (it == endpoints_.end() || it->second->health.state() != Health::State::kGone) co_return;
  const auto endpoint = it->second;
  changed(endpoint, endpoint->health.resume(services_.clock.steady_now()), "configured again");
  (void)co_await saver_.flushed();  // when the store takes nothing now, it is saved later
}

void Engine::settings_changed(const std::string& url, store::EndpointSettings settings,
                              uint64_t version) {
  if (std::exchange(settings_versions_[url], std::max(version, settings_versions_[url])) > version)
    return;
  if (settings == store::EndpointSettings()) {
    settings_.erase(url);
  } else {
    settings_[url] = settings;
  }
  const auto it = endpoints_.find(url);
  if (it == endpoints_.end()) return;
  it->second->settings = std::move(settings);
  apply_settings(*it->second);
  pump(EndpointPtr(it->second));
}

Task<Status> Engine::add_segments(LaneId id, DomainUid domain,
                                  std::vector<store::SegmentRow> segments) {
  if (saver_.misses_unsaved()) {  // the replay is to find them in the list
    const auto saved = co_await saver_.flushed();
    if (!saved) co_return saved;
  }
  const auto lane = find_or_make_lane(id, domain);
  if (!lane) co_return fail(Errc::kNotFound, "the webhook was removed");
  const auto replays = static_cast<size_t>(std::ranges::count_if(lane->segments(), is_replaying));
  if (replays + segments.size() > control::kMaxReplaySegments)
    co_return fail(Errc::kRateLimited, "the webhook has too many replays under way");
  for (auto& segment : segments) {
    // What comes after it is sent anyway, and cannot be read before it is handed over.
    segment.to = std::min(segment.to.value_or(router_.through()), router_.through());
    if (segment.after < *segment.to) lane->add(segment);
  }
  replaying_.insert(id);
  saver_.mark(lane);
  schedule(lane);
  auto saved = co_await saver_.flushed();
  co_return saved;
}

Task<Status> Engine::attempt_again(LaneId id, std::vector<EventPtr> events) {
  if (events.empty()) co_return Status{};
  const auto lane = find_or_make_lane(id, events.front()->domain);
  if (!lane) co_return fail(Errc::kNotFound, "the webhook was removed");
  if (lane->waiting().size() + events.size() > options_.max_exceptions) {
    co_return fail(Errc::kRateLimited,
                   "the webhook has as many events waiting for an attempt as may");
  }
  const auto now = services_.clock.now();
  for (const auto& event : events) {
    const auto hook = webhook::hook_for(event->event.name, event->event.severity);
    if (!hook) continue;
    if (lane->find_waiting(event->position) == nullptr) {
      Waiting waiting;
      waiting.last_attempt = now;
      waiting.hook = *hook;
      retries_.wait(lane, event->position, waiting);
    }
    lane->find_waiting(event->position)->due = {};
    lane->due(event->position, services_.clock.steady_now());
  }
  saver_.mark(lane);
  schedule(lane);
  auto saved = co_await saver_.flushed();
  co_return saved;
}

Task<Status> Engine::change_replay(uint64_t replay, control::ReplayAction action) {
  std::vector<LanePtr> touched;
  for (const auto& lane : replaying_lanes()) {
    const bool has = action == control::ReplayAction::kCancel
                         ? lane->cancel_replay(replay)
                         : lane->pause_replay(replay, action == control::ReplayAction::kPause);
    if (has) touched.push_back(lane);
  }
  for (const auto& lane : touched) {
    saver_.mark(lane);
    schedule(lane);
  }
  auto saved = co_await saver_.flushed();
  co_return saved;
}

}  // namespace eventhorn::delivery
