#include "delivery/operator.h"

#include "async/task.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

// What is looked at before the core looks after its other work.
constexpr size_t kEndpointsPerStep = 256;
constexpr size_t kLanesPerStep = 32;  // each may have thousands of settled ranges

}  // namespace

control::EndpointState Operator::state_of(const Endpoint& endpoint) const {
  switch (endpoint.health().state()) {
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
      endpoint.retries.waiting() > 0 &&
      std::any_of(endpoint.lanes().begin(), endpoint.lanes().end(),
                  [&](const auto& entry) { return !parts_.retries.allows(*entry.second); });
  return throttled ? control::EndpointState::kThrottled : control::EndpointState::kActive;
}

control::EndpointStatus Operator::status_of(const Endpoint& endpoint) const {
  const auto now = parts_.clock.steady_now();
  control::EndpointStatus out;
  out.id = endpoint.id();
  out.url = endpoint.url();
  out.state = state_of(endpoint);
  out.reason = endpoint.story().reason;
  if (out.state == control::EndpointState::kThrottled && out.reason.empty())
    out.reason = "as many events wait for a retry as may";
  out.since = out.state == control::EndpointState::kThrottled && endpoint.story().throttled_since
                  ? endpoint.story().throttled_since
                  : std::optional(endpoint.story().since);
  out.last_success = endpoint.story().last_success;
  out.last_failure = endpoint.story().last_failure;
  const auto ready = endpoint.health().ready_at();
  if (ready > now && ready != SteadyTime::max()) {
    out.next_attempt = parts_.clock.now() + std::chrono::duration_cast<Micros>(ready - now);
  }
  out.failures_in_row = endpoint.health().failures_in_row();
  out.in_flight = endpoint.workers().count();
  out.concurrency = endpoint.health().limit(now);
  out.waiting = endpoint.retries.waiting();
  out.lanes = endpoint.lanes().size();
  out.rate = endpoint.story().rate.at(now);
  if (out.reason.empty() && endpoint.unreadable.lanes() > 0)
    out.reason = "cannot read the log: " + endpoint.unreadable.error();
  if (endpoint.health().state() == Health::State::kActive) out.pace = endpoint.story().rate.last();
  return out;
}

Task<std::vector<control::EndpointStatus>> Operator::endpoints(
    std::optional<store::EndpointId> after, size_t limit,
    std::optional<control::EndpointState> state) {
  std::vector<control::EndpointStatus> out;
  for (size_t seen = 1; out.size() < limit; ++seen) {
    const auto* next = parts_.endpoints.next(after);
    if (next == nullptr) break;
    const auto& e = **next;
    after = e.id();
    if (!state || state_of(e) == *state) out.push_back(status_of(e));
    if (seen % kEndpointsPerStep == 0) co_await yield_now();
  }
  co_return out;
}

Task<std::vector<control::EndpointStatus>> Operator::endpoints_of(std::vector<std::string> urls) {
  std::vector<control::EndpointStatus> out;
  for (const auto& url : urls) {
    out.push_back(endpoint(url));
    if (out.size() % kEndpointsPerStep == 0) co_await yield_now();
  }
  co_return out;
}

control::EndpointStatus Operator::endpoint(const std::string& url) const {
  if (const auto known = parts_.endpoints.find(url)) return status_of(*known);
  control::EndpointStatus idle;
  idle.id = store::endpoint_id(url);
  idle.url = url;
  idle.concurrency = parts_.endpoints.fresh_health().limit(parts_.clock.steady_now());
  return idle;
}

control::LaneStatus Operator::status_of(const Lane& lane) const {
  control::LaneStatus out;
  out.id = lane.id();
  out.domain = lane.domain();
  out.url = lane.url();
  out.segments = lane.row().segments;
  out.through = parts_.router.through();
  out.waiting = lane.retries().size();
  out.in_flight = lane.in_flight();
  out.read_error = lane.reading.error();
  out.throttled = !parts_.retries.allows(lane);
  return out;
}

Task<std::vector<control::LaneStatus>> Operator::statuses(std::vector<LanePtr> lanes) {
  std::vector<control::LaneStatus> out;
  for (size_t i = 0; i < lanes.size(); ++i) {
    if (!lanes[i]->ended) out.push_back(status_of(*lanes[i]));
    if ((i + 1) % kLanesPerStep == 0) co_await yield_now();
  }
  co_return out;
}

Task<std::vector<control::LaneStatus>> Operator::lanes(std::vector<LaneId> ids) {
  std::vector<LanePtr> found;
  for (const LaneId id : ids) {
    if (auto lane = parts_.lanes.find(id)) found.push_back(std::move(lane));
  }
  return statuses(std::move(found));
}

Task<std::vector<control::LaneStatus>> Operator::lanes_of(std::string url) {
  std::vector<LanePtr> found;
  if (const auto known = parts_.endpoints.find(url)) {
    for (const auto& [id, lane] : known->lanes()) found.push_back(lane);
  }
  return statuses(std::move(found));
}

Task<std::vector<control::LaneStatus>> Operator::replaying() {
  return statuses(parts_.lanes.replaying());
}

// The picture first: what is decided while it is being saved shows as unsettled, never the other
// way round.
Task<control::LaneStatus> Operator::lane(LaneId id, DomainUid domain, std::string url) {
  control::LaneStatus out;
  out.id = id;
  out.domain = domain;
  out.url = std::move(url);
  out.through = parts_.router.through();
  if (const auto known = parts_.lanes.find(id)) out = status_of(*known);
  // When the store takes nothing now, reading it will say so.
  (void)co_await parts_.saver.flushed();
  co_return out;
}

Task<Status> Operator::pause(std::string url) {
  const auto endpoint = parts_.endpoints.of(url);
  parts_.transitions.pause(endpoint);
  auto saved = co_await parts_.saver.flushed();
  co_return saved;
}

Task<Status> Operator::resume(std::string url) {
  const auto endpoint = parts_.endpoints.of(url);
  parts_.transitions.on_change(endpoint, endpoint->health().resume(parts_.clock.steady_now()),
                               "resumed by its operator");
  auto saved = co_await parts_.saver.flushed();
  co_return saved;
}

Task<void> Operator::configured(std::string url) {
  const auto endpoint = parts_.endpoints.find(url);
  if (!endpoint || endpoint->health().state() != Health::State::kGone) co_return;
  parts_.transitions.on_change(endpoint, endpoint->health().resume(parts_.clock.steady_now()),
                               "configured again");
  (void)co_await parts_.saver.flushed();  // when the store takes nothing now, it is saved later
}

void Operator::settings_changed(const std::string& url, const store::EndpointSettings& settings,
                                uint64_t version) {
  const auto endpoint = parts_.endpoints.set(url, settings, version);
  if (endpoint) parts_.scheduler.pump(endpoint);
}

// What the lane has to do has changed.
void Operator::touch(const LanePtr& lane) {
  parts_.saver.mark(lane);
  parts_.scheduler.schedule(lane);
}

Task<Status> Operator::add_segments(LaneId id, DomainUid domain,
                                    std::vector<store::SegmentRow> segments) {
  if (parts_.saver.misses_unsaved()) {  // the replay is to find them in the list
    const auto saved = co_await parts_.saver.flushed();
    if (!saved) co_return saved;
  }
  const auto lane = parts_.lanes.find_or_make(id, domain);
  if (!lane) co_return fail(Errc::kNotFound, "the webhook was removed");
  const auto replays = static_cast<size_t>(std::ranges::count_if(lane->segments(), is_replaying));
  if (replays + segments.size() > control::kMaxReplaySegments)
    co_return fail(Errc::kRateLimited, "the webhook has too many replays under way");
  for (auto& segment : segments) {
    // What comes after it is sent anyway, and cannot be read before it is handed over.
    segment.to = std::min(segment.to.value_or(parts_.router.through()), parts_.router.through());
    if (segment.after < *segment.to) lane->segments().add(segment);
  }
  parts_.lanes.begin_replay(id);
  touch(lane);
  auto saved = co_await parts_.saver.flushed();
  co_return saved;
}

Task<Status> Operator::attempt_again(LaneId id, std::vector<EventPtr> events) {
  if (events.empty()) co_return Status{};
  const auto lane = parts_.lanes.find_or_make(id, events.front()->domain);
  if (!lane) co_return fail(Errc::kNotFound, "the webhook was removed");
  if (lane->retries().size() + events.size() > max_waiting_) {
    co_return fail(Errc::kRateLimited,
                   "the webhook has as many events waiting for an attempt as may");
  }
  const auto now = parts_.clock.now();
  for (const auto& event : events) {
    const auto hook = webhook::hook_for(event->event.name, event->event.severity);
    if (!hook) continue;
    if (lane->retries().find(event->position) == nullptr) {
      Waiting waiting;
      waiting.last_attempt = now;
      waiting.hook = *hook;
      parts_.retries.wait(lane, event->position, waiting);
    }
    lane->retries().find(event->position)->due = {};
    lane->retries().due(event->position, parts_.clock.steady_now());
  }
  touch(lane);
  auto saved = co_await parts_.saver.flushed();
  co_return saved;
}

Task<Result<bool>> Operator::forget_events(DomainUid domain, Position through,
                                           std::function<bool(std::string_view)> mentions) {
  parts_.recent.forget(mentions);
  bool under_way = false;
  size_t seen = 0;
  for (const auto& lane : parts_.lanes.all()) {
    if (++seen % kLanesPerStep == 0) co_await yield_now();
    if (lane->ended || lane->domain() != domain) continue;
    lane->erased_through = std::max(lane->erased_through, through);
    under_way = under_way || lane->in_flight() > 0;
    lane->spill();
    touch(lane);
  }
  CO_TRY_STATUS(co_await parts_.saver.flushed());
  co_return under_way;
}

Task<Status> Operator::change_replay(uint64_t replay, control::ReplayAction action) {
  std::vector<LanePtr> touched;
  for (const auto& lane : parts_.lanes.replaying()) {
    const bool has = action == control::ReplayAction::kCancel
                         ? lane->cancel_replay(replay)
                         : lane->pause_replay(replay, action == control::ReplayAction::kPause);
    if (has) touched.push_back(lane);
  }
  for (const auto& lane : touched) {
    touch(lane);
  }
  auto saved = co_await parts_.saver.flushed();
  co_return saved;
}

}  // namespace eventhorn::delivery
