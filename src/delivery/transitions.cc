#include "delivery/transitions.h"

#include "base/log.h"
#include "base/strings.h"
#include "webhook/url.h"

#include <utility>

namespace eventhorn::delivery {

Transitions::Transitions(Parts parts, TransitionsOptions options)
    : parts_(parts), options_(std::move(options)) {}

void Transitions::on_change(const EndpointPtr& endpoint, Health::Change change,
                            const std::string& reason) {
  if (change == Health::Change::kNone) return;
  auto& e = *endpoint;
  e.story().since = parts_.clock.now();
  e.story().reason = reason;  // which it may be already
  control::Notice told;
  told.reason = reason;
  switch (change) {
    case Health::Change::kParked:
      log_warn("delivery", "endpoint parked: only probes are sent url={} failures={} reason={}",
               webhook::masked(e.url()), e.health().failures_in_row(), escape_for_log(reason));
      tell(e, control::NoticeKind::kParked, std::move(told));
      spill(e);
      break;
    case Health::Change::kGone:
      log_warn("delivery",
               "endpoint is gone: nothing is sent to it until it is resumed or its URL configured "
               "again url={} reason={}",
               webhook::masked(e.url()), escape_for_log(reason));
      tell(e, control::NoticeKind::kGone, std::move(told));
      spill(e);
      break;
    default:
      log_info("delivery", "endpoint returned url={} reason={}", webhook::masked(e.url()),
               escape_for_log(reason));
      tell(e, control::NoticeKind::kReturned, std::move(told));
      e.story().reason.clear();
      retime(e);
  }
  parts_.saver.mark(endpoint);
  parts_.scheduler.schedule_all(e);
}

void Transitions::pause(const EndpointPtr& endpoint) {
  if (endpoint->health().state() == Health::State::kPaused) return;
  endpoint->health().pause();
  endpoint->story().since = parts_.clock.now();
  endpoint->story().reason = "paused by its operator";
  log_info("delivery", "endpoint paused url={}", webhook::masked(endpoint->url()));
  spill(*endpoint);
  parts_.saver.mark(endpoint);
}

void Transitions::end(const EndpointPtr& endpoint) {
  (void)endpoint->health().resume(parts_.clock.steady_now());
  endpoint->story().reason.clear();
  parts_.saver.mark(endpoint);
}

void Transitions::on_throttled(Endpoint& endpoint) {
  auto& story = endpoint.story();
  if (std::exchange(story.throttled_since, std::nullopt)) {
    log_info("delivery", "endpoint no longer throttled url={}", webhook::masked(endpoint.url()));
    return;
  }
  story.throttled_since = parts_.clock.now();
  log_warn(
      "delivery",
      "endpoint throttled: as many of its events wait for a retry as may; new ones wait in the "
      "log url={} reason={}",
      webhook::masked(endpoint.url()), escape_for_log(story.reason));
}

void Transitions::unload(const LanePtr& lane) {
  if (lane->endpoint->active()) return;
  lane->spill();
  parts_.saver.mark(lane);
}

void Transitions::spill(Endpoint& endpoint) {
  for (const auto& [id, lane] : endpoint.lanes()) unload(lane);
}

void Transitions::retime(Endpoint& endpoint) {
  for (const auto& [id, lane] : endpoint.lanes()) {
    parts_.retries.bring_forward(lane, options_.slow_start, schedule_of(*lane),
                                 endpoint.health().well());
  }
}

webhook::RetrySchedule Transitions::schedule_of(const Lane& lane) const {
  const auto& own = lane.endpoint->sending().schedule;
  if (own) return *own;
  const auto* domain = parts_.router.find(lane.domain());
  if (domain != nullptr && domain->retry_schedule)
    return webhook::RetrySchedule(*domain->retry_schedule, options_.retry_jitter);
  return options_.schedule;
}

void Transitions::tell(const Endpoint& endpoint, control::NoticeKind kind, control::Notice notice) {
  notice.kind = kind;
  notice.at = parts_.clock.now();
  notice.url = webhook::masked(endpoint.url());
  parts_.notices.post(std::move(notice));
}

void Transitions::tell(const Lane& lane, control::NoticeKind kind, control::Notice notice) {
  if (const auto* domain = parts_.router.find(lane.domain())) notice.domain = domain->name;
  tell(*lane.endpoint, kind, std::move(notice));
}

}  // namespace eventhorn::delivery
