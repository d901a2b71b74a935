// Configuration and intake, and the end. The other files of the class: start.cc, endpoints.cc,
// attempts.cc, control.cc.
#include "delivery/engine.h"

#include "base/log.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

// A lane that falls behind catches up in order for so long, before live events go past the rest.
constexpr std::chrono::seconds kBetweenLive{1};
constexpr size_t kLanesPerStep = 256;  // looked at before the core looks after its other work

store::SlotSet slots_of(const EngineOptions& options) {
  return store::SlotSet::of_core(options.core, options.cores);
}

SaverOptions saver_options(const EngineOptions& options) {
  return {slots_of(options), options.save_interval, options.max_unsaved, options.unsaved};
}

}  // namespace

Engine::Engine(asio::any_io_executor executor, EngineServices services, EngineOptions options)
    : executor_(executor),
      services_(std::move(services)),
      options_(std::move(options)),
      router_(slots_of(options_)),
      places_(options_.max_in_flight),
      timers_(executor, services_.clock),
      sweep_timer_(executor, services_.clock),
      tasks_(executor),
      loops_(executor),
      saver_(
          executor, services_.clock, saver_options(options_),
          [&commits = services_.commits](store::Progress progress, std::function<void()> saved) {
            commits.save(std::move(progress), std::move(saved));
          },
          *this),
      retries_({options_.max_exceptions, options_.max_waiting}, services_.clock, timers_, saver_,
               random_, *this),
      reader_({services_.readers, services_.store, services_.clock, router_, timers_, saver_,
               retries_, *this},
              options_.max_live_bytes, tasks_),
      recent_(options_.max_recent_bytes) {}

void Engine::apply_change(const store::DomainChange& change) {
  for (const auto& [id, ended] : router_.apply(change)) {
    if (ended) {
      end_lane(id);
    } else if (const auto it = lanes_.find(id); it != lanes_.end()) {
      reader_.drop_pending(it->second, it->second->subscribe(since_of(*change.after, id)));
    }
  }
}

void Engine::end_lane(LaneId id) {
  saver_.end_lane(id);
  const auto it = lanes_.find(id);
  if (it == lanes_.end()) return;
  const auto lane = it->second;
  reader_.drop_pending(lane, lane->subscribe({}));
  const auto endpoint = endpoint_of(lane->url());
  forget(lane);
  if (endpoint->health.state() != Health::State::kActive && endpoint->lanes.empty() &&
      !router_.names(endpoint->url)) {
    // Nobody names the URL any more; its next life begins well.
    (void)endpoint->health.resume(services_.clock.steady_now());
    endpoint->reason.clear();
    saver_.mark(endpoint);
  }
}

void Engine::forget(const LanePtr& lane) {
  lane->ended = true;
  retries_.forget(*lane);
  saver_.forget(*lane);
  reader_.end_failure(*lane);
  lane->endpoint->lanes.erase(lane->id());
  lanes_.erase(lane->id());
}

LanePtr Engine::lane_of(const store::Domain& domain, LaneId id, const std::string& url) {
  auto& lane = lanes_[id];
  if (!lane) {
    lane = std::make_shared<Lane>(id, domain.uid, url);
    lane->subscribe(since_of(domain, id));
    const auto& endpoint = endpoint_of(url);
    lane->endpoint = endpoint.get();
    endpoint->lanes.emplace(id, lane);
  }
  return lane;
}

// Null when the lane is no more.
LanePtr Engine::find_or_make_lane(LaneId id, DomainUid domain) {
  const auto* url = router_.url_of(domain, id);
  return url == nullptr ? nullptr : lane_of(*router_.find(domain), id, *url);
}

void Engine::deliver(const EventPtr& event) {
  if (!event->push) return;
  const auto hook = webhook::hook_for(event->event.name, event->event.severity);
  if (!hook) return;
  const auto match = router_.match(event->domain, *hook);
  for (const auto& route : match.routes) {
    if (event->position <= route.since) continue;
    const auto lane = lane_of(*match.domain, route.lane, *route.url);
    offer(lane, event, *hook);
    schedule(lane);
  }
}

void Engine::offer(const LanePtr& lane, const EventPtr& event, Hook hook) {
  const auto cls = webhook::class_of(hook);
  auto& open = lane->open_segment(cls, router_.through(), true);
  if (lane->endpoint->health.state() != Health::State::kActive || !retries_.allows(*lane)) {
    // One that is behind has its row, which this event does not change: the log has it.
    const bool known = !open.caught_up() && saver_.keeps(*lane);
    open.decline(event->position);
    if (!known) saver_.mark(lane);
    return;
  }
  const size_t held = store::live_event_bytes();
  const bool scarce = held > options_.max_live_bytes;
  const size_t enough = held > 2 * options_.max_live_bytes ? 1 : kReadBelow;
  saver_.mark(lane);
  if (scarce && open.held() >= enough) return open.decline(event->position);
  const bool kept_up = open.caught_up();
  if (lane->offer(open, event, hook) || scarce) return;
  // The live events go on beside the backlog; but not of a lane that has just been too slow for
  // them, which would read everything twice and send it out of order.
  const auto now = services_.clock.steady_now();
  if (kept_up) open.overrun = now;
  if (now - open.overrun < kBetweenLive) return;
  const Position before{event->position.value - 1};
  if (auto* live = lane->begin_live(cls, before)) (void)lane->offer(*live, event, hook);
}

void Engine::on_settled(const LanePtr& lane) {
  forget(lane);
}

void Engine::on_saved() {
  reader_.read_waiting();
  pump_queues(places_);
}

void Engine::on_due(const LanePtr& lane) {
  schedule(lane);
}

void Engine::on_read(const LanePtr& lane) {
  schedule(lane);
}

void Engine::tell(const Lane& lane, control::NoticeKind kind, control::Notice notice) {
  if (const auto* domain = router_.find(lane.domain())) notice.domain = domain->name;
  tell(*lane.endpoint, kind, std::move(notice));
}

bool Engine::store_is_good() const {
  return services_.commits.status().has_value();
}

Task<void> Engine::expire(Position last) {
  std::vector<LanePtr> lanes;
  for (const auto& [id, lane] : lanes_) lanes.push_back(lane);
  size_t seen = 0;
  for (const auto& lane : lanes) {
    if (++seen % kLanesPerStep == 0) co_await yield_now();
    if (!lane->ended && !stopping_ && lane->reaches_back_to(last))
      co_await reader_.expire(lane, last);
  }
}

void Engine::on_commit(const store::BatchPtr& batch) {
  for (const auto& change : batch->changes) apply_change(change);
  for (const auto& event : batch->events) deliver(event);
  router_.handed_over(batch->head);
  saver_.handed_over(batch->head);
}

Task<void> Engine::stop_sending() {
  stopping_ = true;
  reader_.stop();
  co_return;
}

Task<void> Engine::stop(Deadline deadline) {
  co_await stop_sending();
  if (const bool drained = co_await tasks_.join(deadline); !drained) {
    log_warn("delivery", "attempts interrupted at shutdown; they will be made again count={}",
             tasks_.size());
    tasks_.cancel();
    co_await tasks_.join(Deadline::max());
  }
  loops_.cancel();
  co_await loops_.join(Deadline::max());
  co_await saver_.finish(deadline);
}

}  // namespace eventhorn::delivery
