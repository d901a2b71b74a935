// The parts, intake, and the end. The start is in start.cc.
#include "delivery/engine.h"

#include "base/log.h"

namespace eventhorn::delivery {
namespace {

// A lane that falls behind catches up in order for so long, before live events go past the rest.
constexpr std::chrono::seconds kBetweenLive{1};
constexpr size_t kLanesPerStep = 256;  // looked at before the core looks after its other work

store::SlotSet slots_of(const EngineOptions& options) {
  return store::SlotSet::of_core(options.core, options.cores);
}

EndpointsOptions endpoints_options(const EngineOptions& options) {
  return {options.health, options.retry_jitter, options.max_per_host};
}

SaverOptions saver_options(const EngineOptions& options) {
  return {slots_of(options), options.save_interval, options.max_unsaved, options.unsaved};
}

TransitionsOptions transitions_options(const EngineOptions& options) {
  return {options.schedule, options.retry_jitter, options.health.slow_start};
}

OutcomesOptions outcomes_options(const EngineOptions& options) {
  return {options.success, options.retry_delivered, options.between_reads};
}

Saver::Save save_by(store::ProgressSaver& saver) {
  return [&saver](store::Progress progress, std::function<void()> saved) {
    saver.save(std::move(progress), std::move(saved));
  };
}

}  // namespace

Engine::Engine(asio::any_io_executor executor, EngineServices services, EngineOptions options)
    : executor_(executor),
      services_(std::move(services)),
      options_(std::move(options)),
      random_(services_.random),
      tasks_(executor, services_.clock),
      loops_(executor, services_.clock),
      router_(slots_of(options_)),
      endpoints_(endpoints_options(options_), services_.clock, services_.sender),
      lanes_(router_, endpoints_),
      timers_(executor, services_.clock),
      saver_(executor, services_.clock, saver_options(options_), save_by(services_.progress),
             *this),
      retries_({options_.max_exceptions, options_.max_waiting}, services_.clock, timers_, saver_,
               random_, *this),
      reader_({services_.readers, services_.store, services_.clock, router_, timers_, saver_,
               retries_, *this},
              options_.max_live_bytes, tasks_),
      scheduler_({services_.clock, timers_, saver_, retries_, random_, *this},
                 options_.max_in_flight, options_.save_interval),
      transitions_({services_.clock, router_, saver_, retries_, scheduler_, services_.notices},
                   transitions_options(options_)),
      recent_(options_.max_recent_bytes),
      outcomes_({services_.clock, services_.store, random_, saver_, retries_, reader_, scheduler_,
                 transitions_, recent_},
                outcomes_options(options_)),
      attempts_({services_.clock, services_.store, services_.readers, services_.sender,
                 services_.keys, random_, scheduler_, outcomes_},
                options_.timeout, tasks_),
      operator_({services_.clock, router_, endpoints_, lanes_, saver_, retries_, scheduler_,
                 transitions_, recent_},
                options_.max_exceptions),
      sweep_(executor, {services_.clock, endpoints_, lanes_, saver_, retries_, scheduler_,
                        transitions_, operator_}) {}

void Engine::apply_change(const store::DomainChange& change) {
  for (const auto& [id, ended] : router_.apply(change)) {
    if (ended) {
      end_lane(id);
    } else if (const auto lane = lanes_.find(id)) {
      reader_.drop_pending(lane, lane->subscribe(change.after->since(id)));
    }
  }
}

void Engine::end_lane(LaneId id) {
  saver_.end_lane(id);
  const auto lane = lanes_.find(id);
  if (!lane) return;
  reader_.drop_pending(lane, lane->subscribe({}));
  const auto endpoint = lane->endpoint->shared_from_this();
  on_settled(lane);
  if (!endpoint->active() && endpoint->lanes().empty() && !router_.names(endpoint->url()))
    transitions_.end(endpoint);
}

void Engine::deliver(const EventPtr& event) {
  if (!event->push) return;
  const auto hook = webhook::hook_for(event->event.name, event->event.severity);
  if (!hook) return;
  const auto match = router_.match(event->domain, *hook);
  for (const auto& route : match.routes) {
    if (event->position <= route.since) continue;
    const auto lane = lanes_.of(*match.domain, route.lane, *route.url);
    offer(lane, event, *hook);
    scheduler_.schedule(lane);
  }
}

void Engine::offer(const LanePtr& lane, const EventPtr& event, Hook hook) {
  const auto cls = webhook::class_of(hook);
  auto& open = lane->segments().open(cls, router_.through(), true);
  if (!lane->endpoint->active() || !retries_.allows(*lane)) {
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
  const Position before = store::just_before(event->position);
  if (auto* live = lane->begin_live(cls, before)) (void)lane->offer(*live, event, hook);
}

void Engine::on_commit(const store::BatchPtr& batch) {
  for (const auto& change : batch->changes) apply_change(change);
  for (const auto& event : batch->events) deliver(event);
  router_.handed_over(batch->head);
  saver_.handed_over(batch->head);
}

Task<void> Engine::expire(Position last) {
  size_t seen = 0;
  for (const auto& lane : lanes_.all()) {
    if (++seen % kLanesPerStep == 0) co_await yield_now();
    if (!lane->ended && !stopping_ && lane->reaches_back_to(last))
      co_await reader_.expire(lane, last);
  }
}

Task<void> Engine::stop_sending() {
  stopping_ = true;
  scheduler_.stop();
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

void Engine::check_invariants() const {
  router_.check_invariants();
  endpoints_.check_invariants();
  lanes_.check_invariants();
  retries_.check_invariants(lanes_.all());
}

void Engine::on_settled(const LanePtr& lane) {
  retries_.forget(*lane);
  saver_.forget(*lane);
  reader_.end_failure(*lane);
  lanes_.forget(lane);
}

void Engine::on_saved() {
  reader_.read_waiting();
  scheduler_.pump_queues();
}

void Engine::on_due(const LanePtr& lane) {
  scheduler_.schedule(lane);
}

void Engine::on_read(const LanePtr& lane) {
  scheduler_.schedule(lane);
}

void Engine::tell(const Lane& lane, control::NoticeKind kind, control::Notice notice) {
  transitions_.tell(lane, kind, std::move(notice));
}

bool Engine::store_is_good() const {
  return services_.health.status().has_value();
}

void Engine::start(Attempt attempt) {
  attempts_.start(std::move(attempt));
}

void Engine::read_more(const LanePtr& lane) {
  reader_.read_more(lane);
}

void Engine::on_health(const EndpointPtr& endpoint, Health::Change change) {
  transitions_.on_change(endpoint, change, endpoint->story().reason);
}

}  // namespace eventhorn::delivery
