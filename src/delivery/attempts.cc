// Attempts: who may send next, the attempt itself, and what its outcome changes.
#include "base/log.h"
#include "base/strings.h"
#include "delivery/engine.h"
#include "webhook/payload.h"
#include "webhook/signature.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::delivery {
Engine::Meters::Meters()
    : success(metrics::counter("eventhorn_deliveries_total", "Attempts by outcome",
                               {{"outcome", "success"}})),
      rejected(metrics::counter("eventhorn_deliveries_total", "", {{"outcome", "rejected"}})),
      gone(metrics::counter("eventhorn_deliveries_total", "", {{"outcome", "gone"}})),
      retried(metrics::counter("eventhorn_deliveries_total", "", {{"outcome", "retry"}})),
      missed(metrics::counter("eventhorn_missed_total",
                              "Events given up for a URL after the last attempt")),
      expired(metrics::counter("eventhorn_missed_expired_total",
                               "Events that retention dropped before they were delivered")),
      dropped(metrics::counter("eventhorn_dropped_total",
                               "Pending events dropped because their webhook was removed")),
      in_flight(metrics::gauge("eventhorn_deliveries_in_flight", "Attempts in flight")),
      behind(metrics::gauge("eventhorn_lanes_behind",
                            "Lanes that read the log because they are behind")),
      attempt_seconds(metrics::histogram("eventhorn_attempt_seconds", "Time of an attempt",
                                         metrics::latency_buckets())),
      lag_seconds(metrics::histogram("eventhorn_delivery_lag_seconds",
                                     "From commit to a success at the first attempt",
                                     metrics::latency_buckets())) {}

Endpoint& Engine::endpoint_of(const std::string& url) {
  auto& endpoint = endpoints_[url];
  if (!endpoint) {
    endpoint = std::make_unique<Endpoint>(url, options_.max_concurrency_per_url);
    endpoint->target = sender_.open(url);
  }
  return *endpoint;
}

bool Engine::can_start() const {
  return !stopping_ && in_flight_ < options_.max_in_flight &&
         *options_.unsaved < options_.max_unsaved;
}

void Engine::schedule(const LanePtr& lane) {
  if (lane->ended) return;
  auto& endpoint = endpoint_of(lane->url());
  if (!lane->in_ring && lane->has_work(lane->waiting() < options_.max_exceptions)) {
    lane->in_ring = true;
    endpoint.ring.push_back(lane);
  }
  pump(endpoint);
}

void Engine::pump(Endpoint& endpoint) {
  while (!endpoint.ring.empty() && endpoint.workers < endpoint.concurrency.limit() &&
         !endpoint.gone && endpoint.not_before <= std::chrono::steady_clock::now()) {
    if (!can_start()) {
      if (!endpoint.in_queue) {
        endpoint.in_queue = true;
        queue_.push_back(&endpoint);
        look_again_soon();
      }
      return;
    }
    LanePtr lane;
    auto job = take(endpoint, lane);
    if (!job) return;
    ++endpoint.workers;
    tasks_.spawn("delivery", work(endpoint, std::move(lane), *std::move(job)));
  }
}

// The bound on unsaved outcomes is shared by the cores, and another core's save wakes nobody here.
void Engine::look_again_soon() {
  if (looking_again_) return;
  looking_again_ = true;
  wake_at(clock_.steady_now() + options_.save_interval, [this] {
    looking_again_ = false;
    pump_queue();
    if (!queue_.empty()) look_again_soon();
  });
}

void Engine::pump_queue() {
  for (size_t n = queue_.size(); n > 0 && !queue_.empty() && can_start(); --n) {
    auto* endpoint = queue_.front();
    queue_.pop_front();
    endpoint->in_queue = false;
    pump(*endpoint);
  }
}

std::optional<Job> Engine::take(Endpoint& endpoint, LanePtr& lane) {
  while (!endpoint.ring.empty()) {
    lane = std::move(endpoint.ring.front());
    endpoint.ring.pop_front();
    auto job = lane->ended ? std::nullopt : lane->take(lane->waiting() < options_.max_exceptions);
    if (!lane->ended) {
      if (lane->take_changed()) mark(*lane);
      read_more(lane);
    }
    if (job) {
      endpoint.ring.push_back(lane);
      ++in_flight_;
      meters_.in_flight.add(1);
      return job;
    }
    lane->in_ring = false;
  }
  return std::nullopt;
}

Task<void> Engine::work(Endpoint& endpoint, LanePtr lane, Job job) {
  for (;;) {
    co_await attempt(endpoint, lane, std::move(job));
    --in_flight_;
    meters_.in_flight.add(-1);
    // Others that wait for a place in the budget come first; this endpoint queues behind them.
    if (!queue_.empty() || !can_start() || endpoint.gone ||
        endpoint.workers > endpoint.concurrency.limit() ||
        endpoint.not_before > std::chrono::steady_clock::now()) {
      break;
    }
    auto next = take(endpoint, lane);
    if (!next) break;
    job = *std::move(next);
    pump(endpoint);  // a success may have made room for one more
  }
  --endpoint.workers;
  pump_queue();
  pump(endpoint);
}

Task<bool> Engine::load_event(LanePtr lane, Job& job) {
  const std::vector<Position> positions{job.position};
  auto read = [&] { return store_.read_events(positions); };
  auto events = co_await run_blocking(readers_, read);
  if (!events) {
    log_error("delivery",
              "cannot read an event for its retry, will try again lane={} position={} error={}",
              lane->id().value, job.position.value, events.error().message);
    lane->settle(job);
    retry_at(clock_.steady_now() + std::chrono::seconds(5), lane, job.position);
    co_return false;
  }
  job.event = std::move(events->front());
  const auto hook = job.event ? webhook::hook_for(job.event->event.name, job.event->event.severity)
                              : std::nullopt;
  if (hook && lane->wants(*hook, job.position)) co_return true;
  lane->settle(job);
  lane->end_waiting(job.position);
  unsaved_.ended_exceptions.emplace_back(lane->id(), job.position);
  if (job.event) {
    meters_.dropped.add();
  } else {
    meters_.expired.add();  // retention was faster than the retries
  }
  mark(*lane);
  co_return false;
}

Task<void> Engine::attempt(Endpoint& endpoint, LanePtr lane, Job job) {
  if (!job.event) {
    const bool loaded = co_await load_event(lane, job);
    if (!loaded) co_return;
  }
  const auto key = key_();
  const auto signature = webhook::make_signature(*key, clock_.now(), random_);
  const std::string prefix = webhook::payload_prefix(signature);
  const auto started = std::chrono::steady_clock::now();
  const auto reply = co_await sender_.post(*endpoint.target, prefix, job.event->event.bytes,
                                           webhook::kPayloadSuffix, started + options_.timeout);
  const auto took = std::chrono::steady_clock::now() - started;
  meters_.attempt_seconds.observe(std::chrono::duration<double>(took).count());
  finish(endpoint, lane, job, reply, std::chrono::duration_cast<std::chrono::milliseconds>(took));
}

void Engine::finish(Endpoint& endpoint, const LanePtr& lane, const Job& job, const SendReply& reply,
                    std::chrono::milliseconds took) {
  if (lane->ended) return;
  const auto& result = reply.result;
  if (result.status == 0 && result.kind == webhook::FailureKind::kCancelled) {
    lane->give_back(job);
    return;
  }
  const auto verdict = webhook::classify(result, options_.success);
  if (result.retry_after) {
    endpoint.not_before = std::chrono::steady_clock::now() + *result.retry_after;
    wake_at(endpoint.not_before, [this, &endpoint] { pump(endpoint); });
  }
  record(*lane, job, reply, verdict, took);
  switch (verdict) {
    case webhook::Verdict::kSuccess:
    case webhook::Verdict::kRejected:
      endpoint.concurrency.on_success();
      (verdict == webhook::Verdict::kSuccess ? meters_.success : meters_.rejected).add();
      if (job.attempt == 1)
        meters_.lag_seconds.observe(
            std::chrono::duration<double>(clock_.now() - job.event->committed).count());
      lane->settle(job);
      if (job.segment == nullptr) {
        lane->end_waiting(job.position);
        unsaved_.ended_exceptions.emplace_back(lane->id(), job.position);
      }
      break;
    case webhook::Verdict::kGone:
      meters_.gone.add();
      endpoint.gone = true;
      lane->give_back(job);
      log_warn("delivery",
               "endpoint is gone (410): nothing is sent to it until its URL is configured again "
               "url={} event={}",
               webhook::masked(endpoint.url), escape_for_log(job.event->event.id));
      break;
    case webhook::Verdict::kRetry:
      on_failure(endpoint, lane, job, result);
      break;
  }
  ++unsaved_outcomes_;
  options_.unsaved->fetch_add(1);
  mark(*lane);
  if (unsaved_outcomes_ >= options_.max_unsaved / 4) save_now();
  read_more(lane);  // a full window that moved has room again
  schedule(lane);
}

void Engine::on_failure(Endpoint& endpoint, const LanePtr& lane, const Job& job,
                        const webhook::AttemptResult& result) {
  if (result.kind == webhook::FailureKind::kTimeout || result.status == 429 || result.status >= 500)
    endpoint.concurrency.on_overload();
  const bool may_retry =
      options_.retry_delivered || job.event->event.name != event::Name::kDelivered;
  const auto delay =
      may_retry ? options_.schedule.next_delay(job.attempt, random_.fraction()) : std::nullopt;
  const SystemTime now = clock_.now();
  store::ExceptionRow row{lane->id(),   job.position, !delay,
                          job.attempt,  now,          delay ? Micros(*delay) : Micros{},
                          result.status};
  unsaved_.exceptions.push_back(row);
  if (delay) lane->wait(job.position, {job.attempt, now, Micros(*delay), result.status, false});
  lane->settle(job);
  if (delay) {
    meters_.retried.add();
    retry_at(clock_.steady_now() + *delay, lane, job.position);
  } else {
    meters_.missed.add();
    lane->end_waiting(job.position);
    log_warn("delivery",
             "event missed after its last attempt event={} lane={} url={} attempts={} status={} "
             "error={}",
             escape_for_log(job.event->event.id), lane->id().value, webhook::masked(lane->url()),
             job.attempt, result.status, escape_for_log(result.error));
  }
}

void Engine::record(const Lane& lane, const Job& job, const SendReply& reply,
                    webhook::Verdict verdict, std::chrono::milliseconds took) {
  store::AttemptRow row;
  row.lane = lane.id();
  row.position = job.position;
  row.at = clock_.now();
  row.took = took;
  row.attempt = job.attempt;
  row.status = reply.result.status;
  if (verdict != webhook::Verdict::kSuccess) {
    row.failure = reply.result.status != 0 ? std::string(webhook::to_string(verdict))
                                           : std::string(webhook::to_string(reply.result.kind));
    row.error = reply.result.error;
    row.response = reply.response;
  }
  unsaved_.attempts.push_back(std::move(row));
}

void Engine::read_more(const LanePtr& lane) {
  auto& endpoint = endpoint_of(lane->url());
  if (stopping_ || endpoint.gone || lane->waiting() >= options_.max_exceptions) return;
  if (auto* segment = lane->wants_read()) {
    // Over the budget only a lane that has nothing else to send reads more.
    if (segment->waiting() > 0 && store::live_event_bytes() > options_.max_live_bytes) return;
    segment->reading = true;
    tasks_.spawn("delivery read", read_segment(lane, segment));
  }
}

Task<void> Engine::read_segment(LanePtr lane, Segment* segment) {
  store::LaneQuery query;
  query.domain = lane->domain();
  query.cls = segment->cls();
  query.after = segment->read_through();
  // Not beyond what was handed over: `since` is the configuration as of there, and the log may
  // already hold events of a later one.
  query.to = std::min(segment->to().value_or(seen_), seen_);
  query.since = lane->since();
  auto read = [&] { return store_.read_lane(query); };
  auto slice = co_await run_blocking(readers_, read);
  segment->reading = false;
  if (lane->ended) co_return;
  if (!slice) {
    log_error("delivery", "cannot read the log, will try again lane={} error={}", lane->id().value,
              slice.error().message);
    const std::weak_ptr<Lane> weak = lane;
    wake_at(clock_.steady_now() + std::chrono::seconds(1), [this, weak] {
      if (const auto l = weak.lock(); l && !l->ended) read_more(l);
    });
    co_return;
  }
  if (slice->expired > 0) {
    meters_.expired.add(static_cast<double>(slice->expired));
    log_warn("delivery",
             "events dropped by retention before they were delivered lane={} url={} count={}",
             lane->id().value, webhook::masked(lane->url()), slice->expired);
  }
  segment->fill(*slice, seen_);
  mark(*lane);
  read_more(lane);
  schedule(lane);
}

}  // namespace eventhorn::delivery
