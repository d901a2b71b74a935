// Endpoints: who may send next, and what their health makes of their lanes.
#include "base/log.h"
#include "base/strings.h"
#include "control/endpoint_settings.h"
#include "delivery/attempt.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr std::chrono::seconds kSweepInterval{1};
constexpr size_t kEndpointsPerStep = 256;  // looked at before the core looks after its other work
constexpr int kSweepShare = 200;  // one part of the time in so many, with very many endpoints
constexpr std::chrono::minutes kKeepIdle{5};  // an endpoint that is well and has nothing to do

metrics::Counter outcome_counter(const char* outcome) {
  return metrics::counter("eventhorn_deliveries_total", "Attempts by outcome",
                          {{"outcome", outcome}});
}

metrics::Counter probe_counter(const char* outcome) {
  return metrics::counter("eventhorn_probes_total", "Attempts to parked endpoints by outcome",
                          {{"outcome", outcome}});
}

metrics::Gauge state_gauge(control::EndpointState state) {
  return metrics::gauge("eventhorn_endpoints", "Endpoints in use or not well, by state",
                        {{"state", std::string(to_string(state))}});
}

}  // namespace

Engine::Meters::Meters()
    : success(outcome_counter("success")),
      rejected(outcome_counter("rejected")),
      gone(outcome_counter("gone")),
      retried(outcome_counter("retry")),
      given_up(outcome_counter("missed")),
      own_fault(outcome_counter("own_fault")),
      dropped(metrics::counter("eventhorn_dropped_total",
                               "Pending events dropped because their webhook was removed")),
      probe_success(probe_counter("success")),
      probe_failure(probe_counter("failure")),
      in_flight(metrics::gauge("eventhorn_deliveries_in_flight", "Attempts in flight")),
      replays(metrics::gauge("eventhorn_replays_active", "Segments of replays not yet done")),
      endpoints{state_gauge(control::EndpointState::kActive),
                state_gauge(control::EndpointState::kThrottled),
                state_gauge(control::EndpointState::kParked),
                state_gauge(control::EndpointState::kGone),
                state_gauge(control::EndpointState::kPaused)},
      attempt_seconds(metrics::histogram("eventhorn_attempt_seconds", "Time of an attempt",
                                         metrics::latency_buckets())),
      lag_seconds(metrics::histogram("eventhorn_delivery_lag_seconds",
                                     "From commit to a success at the first attempt",
                                     metrics::latency_buckets())) {}

const EndpointPtr& Engine::endpoint_of(const std::string& url) {
  auto& endpoint = endpoints_[url];
  if (!endpoint) {
    endpoint = std::make_shared<Endpoint>(url, options_.health);
    endpoint->used = services_.clock.steady_now();
    endpoint->since = services_.clock.now();
    if (const auto it = settings_.find(url); it != settings_.end()) endpoint->settings = it->second;
    const auto parsed = webhook::parse_target_url(url);
    const auto name = parsed ? parsed->host + ":" + std::to_string(parsed->port) : url;
    endpoint->host = hosts_[name].lock();
    if (!endpoint->host)
      hosts_[name] = endpoint->host = std::make_shared<Places>(options_.max_per_host);
    apply_settings(*endpoint);
    endpoints_by_id_.emplace(endpoint->id, endpoint);
  }
  return endpoint;
}

void Engine::apply_settings(Endpoint& endpoint) {
  const auto& settings = endpoint.settings;
  auto health = options_.health;
  if (settings.rate_limit > 0) health.rate_limit = settings.rate_limit;
  if (settings.max_concurrency > 0) health.max_concurrency = settings.max_concurrency;
  endpoint.health.set_options(health);
  endpoint.schedule.reset();
  if (settings.retry_schedule)
    endpoint.schedule.emplace(*settings.retry_schedule, options_.retry_jitter);
  endpoint.secrets = control::standard_secrets(settings);
  endpoint.target = services_.sender.open(endpoint.url, settings);
}

void Engine::schedule(const LanePtr& lane) {
  if (lane->ended) return;
  const auto endpoint = lane->endpoint->shared_from_this();
  // A parked endpoint is probed with what waits for a retry, too.
  const bool probed = endpoint->health.parked() && !lane->waiting().empty();
  if (!lane->in_ring && (probed || lane->has_work(retries_.allows(*lane)))) {
    lane->in_ring = true;
    endpoint->ring.push_back(lane);
  }
  pump(endpoint);
}

void Engine::schedule_all(const EndpointPtr& endpoint) {
  std::vector<LanePtr> lanes;
  for (const auto& [id, lane] : endpoint->lanes) lanes.push_back(lane);
  for (const auto& lane : lanes) schedule(lane);
}

void Engine::pump(const EndpointPtr& endpoint) {
  while (auto next = start_next(endpoint)) tasks_.spawn("delivery", work(*std::move(next)));
}

// Takes the next job of an endpoint together with its place; nullopt when it has none, may not send
// now (then it is woken), or waits for a place.
std::optional<Engine::Attempt> Engine::start_next(const EndpointPtr& endpoint) {
  auto& e = *endpoint;
  if (stopping_ || e.ring.empty()) return std::nullopt;
  const auto now = services_.clock.steady_now();
  if (e.workers >= e.health.limit(now)) return std::nullopt;
  if (e.health.ready_at() > now) {
    arm(endpoint, now);
    return std::nullopt;
  }
  const Standing standing = e.standing(now);
  if (!has_place(endpoint, standing)) return std::nullopt;
  LanePtr lane;
  auto job = take(e, lane, now);
  if (!job) return std::nullopt;
  places_.budget.take(standing);
  e.host->budget.take(standing);
  meters_.in_flight.add(1);
  if (e.workers++ == 0) e.last_sign = now;
  e.used = now;
  e.health.on_start(now);
  return std::optional<Attempt>(std::in_place, *this, endpoint, std::move(lane), *std::move(job),
                                standing);
}

bool Engine::has_place(const EndpointPtr& endpoint, Standing standing) {
  auto& e = *endpoint;
  const bool unsaved_full = saver_.full();
  if (unsaved_full) look_again_soon();
  for (auto* places : {&places_, e.host.get()}) {
    const auto answer =
        unsaved_full ? Budget::Answer::kFull : places->budget.ask(standing, e.workers);
    if (answer == Budget::Answer::kYes) continue;
    if (answer == Budget::Answer::kFull && !std::exchange(e.in_queue, true))
      places->queues[static_cast<size_t>(standing)].push_back(endpoint);
    return false;
  }
  return true;
}

void Engine::release(Endpoint& endpoint, Standing standing) {
  places_.budget.release(standing);
  endpoint.host->budget.release(standing);
  meters_.in_flight.add(-1);
  --endpoint.workers;
  pump_queues(*endpoint.host);
}

// The bound on unsaved outcomes is shared by the cores, and another core's save wakes nobody here.
void Engine::look_again_soon() {
  if (std::exchange(looking_again_, true)) return;
  timers_.at(services_.clock.steady_now() + options_.save_interval, [this] {
    looking_again_ = false;
    pump_queues(places_);
  });
}

// Those who wait for a place come first, the well ones before the doubtful. Whoever has become
// doubtful, or better, while it waited goes to the queue where it now belongs.
void Engine::pump_queues(Places& places) {
  if (std::ranges::all_of(places.queues, [](const auto& queue) { return queue.empty(); })) return;
  const auto now = services_.clock.steady_now();
  for (size_t i = 0; i < places.queues.size(); ++i) {
    auto& queue = places.queues[i];
    for (size_t n = queue.size(); n > 0 && !queue.empty(); --n) {
      // Whoever waits at a host moves over here, where a save wakes it.
      if (&places == &places_ && saver_.full()) return look_again_soon();
      const auto endpoint = queue.front().lock();
      if (endpoint) {
        const auto standing = endpoint->standing(now);
        const auto answer = places.budget.ask(standing, endpoint->workers);
        if (static_cast<size_t>(standing) == i && answer == Budget::Answer::kFull) break;
      }
      queue.pop_front();
      if (!endpoint) continue;
      endpoint->in_queue = false;
      pump(endpoint);
    }
  }
}

std::optional<Job> Engine::take(Endpoint& endpoint, LanePtr& lane, SteadyTime now) {
  while (!endpoint.ring.empty()) {
    lane = std::move(endpoint.ring.front());
    endpoint.ring.pop_front();
    std::optional<Job> job;
    if (!lane->ended) {
      job = endpoint.health.parked() ? lane->take_probe(now)
                                     : lane->take(retries_.allows(*lane), now);
      if (lane->take_changed()) saver_.mark(lane);
      reader_.read_more(lane);
    }
    if (job) {
      endpoint.ring.push_back(lane);
      return job;
    }
    lane->in_ring = false;
  }
  return std::nullopt;
}

// Wakes the endpoint when it may send, or is to be parked. `now` is the time at which the caller
// found that it may not send yet: at a later one it might be found that it need not be woken.
void Engine::arm(const EndpointPtr& endpoint, SteadyTime now) {
  auto when = endpoint->health.park_at();
  const auto ready = endpoint->health.ready_at();
  if (!endpoint->ring.empty() && ready > now) when = std::min(when, ready);
  if (when >= endpoint->wake) return;
  endpoint->wake = when;
  const std::weak_ptr<Endpoint> weak = endpoint;
  timers_.at(when, [this, weak] {
    const auto e = weak.lock();
    if (!e) return;
    e->wake = SteadyTime::max();
    const auto now = services_.clock.steady_now();
    changed(e, e->health.on_time(now, random_.fraction()), e->reason);
    pump(e);
    arm(e, now);
  });
}

void Engine::changed(const EndpointPtr& endpoint, Health::Change change,
                     const std::string& reason) {
  if (change == Health::Change::kNone) return;
  auto& e = *endpoint;
  e.since = services_.clock.now();
  e.reason = reason;
  control::Notice told;
  told.reason = reason;
  switch (change) {
    case Health::Change::kParked:
      log_warn("delivery", "endpoint parked: only probes are sent url={} failures={} reason={}",
               webhook::masked(e.url), e.health.failures_in_row(), escape_for_log(reason));
      tell(e, control::NoticeKind::kParked, std::move(told));
      spill(e);
      break;
    case Health::Change::kGone:
      log_warn("delivery",
               "endpoint is gone: nothing is sent to it until it is resumed or its URL configured "
               "again url={} reason={}",
               webhook::masked(e.url), escape_for_log(reason));
      tell(e, control::NoticeKind::kGone, std::move(told));
      spill(e);
      break;
    default:
      log_info("delivery", "endpoint returned url={} reason={}", webhook::masked(e.url),
               escape_for_log(reason));
      tell(e, control::NoticeKind::kReturned, std::move(told));
      e.reason.clear();
      retime(e);
  }
  saver_.mark(endpoint);
  schedule_all(endpoint);
}

// What waits for a retry waits no longer than the slow start.
void Engine::retime(Endpoint& endpoint) {
  for (const auto& [id, lane] : endpoint.lanes) {
    retries_.bring_forward(lane, options_.health.slow_start, schedule_of(endpoint, *lane),
                           endpoint.health.well());
  }
}

// What waits in memory is read again when it can be sent.
void Engine::spill(Endpoint& endpoint) {
  for (const auto& [id, lane] : endpoint.lanes) unload(lane);
}

// A lane of an endpoint that cannot be sent to holds nothing in memory but what is under way:
// called again with each attempt that ends, because its event may have come back.
void Engine::unload(const LanePtr& lane) {
  if (lane->endpoint->health.state() == Health::State::kActive) return;
  lane->spill();
  saver_.mark(lane);
}

void Engine::tell(const Endpoint& endpoint, control::NoticeKind kind, control::Notice notice) {
  notice.kind = kind;
  notice.at = services_.clock.now();
  notice.url = webhook::masked(endpoint.url);
  services_.notices.post(std::move(notice));
}

void Engine::throttle_changed(Endpoint& endpoint) {
  if (std::exchange(endpoint.throttled_since, std::nullopt)) {
    log_info("delivery", "endpoint no longer throttled url={}", webhook::masked(endpoint.url));
    return;
  }
  endpoint.throttled_since = services_.clock.now();
  log_warn(
      "delivery",
      "endpoint throttled: as many of its events wait for a retry as may; new ones wait in the "
      "log url={} reason={}",
      webhook::masked(endpoint.url), escape_for_log(endpoint.reason));
}

Task<void> Engine::run_sweeps() {
  SteadyTime::duration took{};
  for (;;) {
    sweep_timer_.set(services_.clock.steady_now() +
                     std::max<SteadyTime::duration>(kSweepInterval, kSweepShare * took));
    co_await sweep_timer_.wait();
    const auto started = services_.clock.steady_now();
    co_await sweep();
    took = services_.clock.steady_now() - started;
  }
}

// Lanes that were held only because too many events of others waited have more room as those go.
void Engine::wake_held() {
  if (!retries_.take_crowded()) return;
  std::vector<LanePtr> held;
  for (const auto& [id, lane] : lanes_) {
    if (!lane->waiting().empty() && retries_.allows(*lane)) held.push_back(lane);
  }
  for (const auto& lane : held) schedule(lane);
}

// Counts endpoints, and forgets those that are idle and well.
Task<void> Engine::sweep() {
  const auto now = services_.clock.steady_now();
  wake_held();
  std::array<size_t, 5> counts{};
  size_t replays = 0;
  for (const auto& lane : replaying_lanes())
    replays += static_cast<size_t>(std::ranges::count_if(lane->segments(), is_replaying));
  bool forgotten = false;
  size_t seen = 0;
  for (auto it = endpoints_by_id_.begin(); it != endpoints_by_id_.end();) {
    const auto id = it->first;
    auto& e = *it->second;
    const bool idle = e.lanes.empty() && e.workers == 0 && !saver_.holds(e) &&
                      e.health.state() == Health::State::kActive;
    if (idle && now - e.used > kKeepIdle) {
      endpoints_.erase(std::string(e.url));
      endpoints_by_id_.erase(it);
      forgotten = true;
    } else {
      const auto state = state_of(e);
      ++counts[static_cast<size_t>(state)];
      if ((state == control::EndpointState::kThrottled) != e.throttled_since.has_value())
        throttle_changed(e);
    }
    if (++seen % kEndpointsPerStep == 0) co_await yield_now();
    it = endpoints_by_id_.upper_bound(id);
  }
  if (forgotten) std::erase_if(hosts_, [](const auto& entry) { return entry.second.expired(); });
  const auto difference = [](size_t a, size_t b) {
    return static_cast<double>(a) - static_cast<double>(b);
  };
  for (size_t i = 0; i < counts.size(); ++i)
    meters_.endpoints[i].add(difference(counts[i], counted_endpoints_[i]));
  counted_endpoints_ = counts;
  meters_.replays.add(difference(replays, std::exchange(counted_replays_, replays)));
}

}  // namespace eventhorn::delivery
