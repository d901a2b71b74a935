// Attempts: the attempt itself, and what its outcome changes.
#include "base/log.h"
#include "base/strings.h"
#include "delivery/attempt.h"
#include "webhook/payload.h"
#include "webhook/url.h"

#include <algorithm>
#include <utility>

namespace eventhorn::delivery {
namespace {

// Before an endpoint is tried again after a fault of ours.
constexpr std::chrono::seconds kAfterOwnFault{1};
constexpr uint8_t kMaxReads = 3;  // of an event that is damaged, before it is missed
constexpr std::chrono::minutes kBetweenMissNotices{1};

std::string describe(const webhook::AttemptResult& result) {
  return result.error.empty() ? "HTTP status " + std::to_string(result.status) : result.error;
}

}  // namespace

Task<void> Engine::work(Attempt first) {
  const auto endpoint = first.endpoint();
  std::optional<Attempt> attempt(std::move(first));
  co_await yield_now();  // an attempt may end at once: never within the caller
  for (;;) {
    co_await make(*attempt);
    attempt.reset();
    pump_queues(places_);  // those who wait for a place come first
    auto next = start_next(endpoint);
    if (!next) co_return;
    attempt.emplace(*std::move(next));
    pump(endpoint);  // a success may have made room for one more
  }
}

// An exception ended the attempt, or the process is being stopped.
void Engine::abandon(const LanePtr& lane, const Job& job) {
  if (lane->ended) return;
  lane->give_back(job);
  lane->endpoint->health.hold_until(services_.clock.steady_now() + kAfterOwnFault);
  schedule(lane);
}

// The event of a retry. False when there is nothing to send.
Task<bool> Engine::load_event(Attempt& attempt) {
  const auto lane = attempt.lane();
  auto& job = attempt.job();
  const std::vector<Position> positions{job.position};
  auto read = [&] { return services_.store.read_events(positions); };
  auto events = co_await run_blocking(services_.readers, read);
  attempt.decide();
  if (lane->ended) {
    meters_.dropped.add();
    co_return false;
  }
  if (!events) {
    on_unreadable(*attempt.endpoint(), lane, job, events.error());
    co_return false;
  }
  job.event = std::move(events->front());
  const auto hook = job.event ? webhook::hook_for(job.event->event.name, job.event->event.severity)
                              : std::nullopt;
  if (hook && lane->wants(job.segment, *hook, job.position)) co_return true;
  lane->settle(job);
  retries_.settle(*lane, job.position);
  if (job.event) {
    meters_.dropped.add();
  } else {
    reader_.on_expired(*lane, 1);  // retention was faster than the retries
  }
  saver_.mark(lane);
  schedule(lane);
  co_return false;
}

// The event costs itself alone: it is put off, and missed after a few reads that found it damaged.
// While the disk or the store as a whole refuses, nothing is known of the event.
void Engine::on_unreadable(Endpoint& endpoint, const LanePtr& lane, const Job& job,
                           const Error& error) {
  lane->settle(job);
  auto* waiting = lane->find_waiting(job.position);
  if (waiting == nullptr) return;
  if (error.code == Errc::kCorruption) ++waiting->failed_reads;
  const auto now = services_.clock.steady_now();
  if (read_lines_.allow(now)) {
    log_error("delivery",
              "cannot read an event for its retry lane={} position={} reads_of_damage={} error={} "
              "left_out_before={}",
              lane->id().value, job.position.value, waiting->failed_reads, error.message,
              read_lines_.left_out());
  }
  if (waiting->failed_reads < kMaxReads) {
    waiting->read_due = now + options_.between_reads;
    return retries_.at(waiting->read_due, lane, job.position);
  }
  const auto wall = services_.clock.now();
  auto last = *waiting;
  last.last_attempt = wall;
  last.delay = Micros{};
  store::AttemptRow row;
  row.lane = lane->id();
  row.position = job.position;
  row.at = wall;
  row.written = services_.store.kept_clock().now();
  row.attempt = job.attempt;
  row.failure = "unreadable";
  row.error = error.message;
  saver_.put_attempt(std::move(row));
  retries_.miss(*lane, job.position, last);
  tell_missed(endpoint, *lane, "", "unreadable: " + error.message);
  saver_.mark(lane);
  schedule(lane);
}

Task<void> Engine::make(Attempt& attempt) {
  auto& job = attempt.job();
  if (!job.event) {
    const bool loaded = co_await load_event(attempt);
    if (!loaded) co_return;
  }
  const auto& endpoint = attempt.endpoint();
  const auto started = services_.clock.steady_now();
  const auto deadline = started + options_.timeout;
  auto reply = co_await send(*endpoint, *job.event, deadline, false);
  if (reply.stale) reply = co_await send(*endpoint, *job.event, deadline, true);
  attempt.decide();
  finish(endpoint, attempt.lane(), job, reply, started);
}

// Signs and sends.
Task<SendReply> Engine::send(const Endpoint& endpoint, const store::StoredEvent& event,
                             Deadline deadline, bool fresh_connection) {
  const auto now = services_.clock.now();
  const auto keys = services_.keys();
  const auto signature = webhook::make_signature(*keys.current, now, random_);
  const std::string prefix = webhook::payload_prefix(signature);
  std::string head = webhook::previous_signature_head(keys, signature);
  if (!endpoint.secrets.empty()) {
    const std::array<std::string_view, 3> body = {prefix, event.event.bytes,
                                                  webhook::kPayloadSuffix};
    head += webhook::standard_head(endpoint.secrets, event.event.id, now, body);
  }
  const auto target = endpoint.target;  // settings may change meanwhile
  const Message message{head, prefix, event.event.bytes, webhook::kPayloadSuffix, fresh_connection};
  auto reply = co_await services_.sender.post(*target, message, deadline);
  co_return reply;
}

// An attempt that says nothing about the receiver: it is made again and counts for nobody.
bool Engine::not_its_fault(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                           const webhook::AttemptResult& result) {
  using webhook::FailureKind;
  if (result.status != 0) return false;
  const bool own_fault = result.kind == FailureKind::kLocal || result.kind == FailureKind::kProxy;
  if (result.kind != FailureKind::kCancelled && !own_fault) return false;
  if (own_fault) {
    meters_.own_fault.add();
    endpoint->reason = describe(result);
    const auto now = services_.clock.steady_now();
    endpoint->health.hold_until(now + kAfterOwnFault);
    ++own_faults_unlogged_;
    if (now >= own_fault_log_due_) {  // such a fault comes for all URLs at once
      own_fault_log_due_ = now + kAfterOwnFault;
      log_warn("delivery",
               "attempt not made, not by the receiver's fault url={} event={} error={} "
               "attempts_since_last_such_line={}",
               webhook::masked(endpoint->url), escape_for_log(job.event->event.id),
               escape_for_log(result.error), std::exchange(own_faults_unlogged_, 0));
    }
  }
  if (lane->ended || lane->outlived(job)) {
    drop_outlived(lane, job);
  } else {
    lane->give_back(job);
  }
  if (lane->ended) return true;
  unload(lane);
  schedule(lane);
  return true;
}

// Its webhook was removed while it was under way, and it did not get through.
void Engine::drop_outlived(const LanePtr& lane, const Job& job) {
  if (job.segment == nullptr || job.segment->replay() == 0) meters_.dropped.add();
  if (lane->ended) return;
  lane->settle(job);
  if (job.segment == nullptr) {
    retries_.settle(*lane, job.position);
  }
  saver_.mark(lane);
}

void Engine::finish(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                    const SendReply& reply, SteadyTime started) {
  const auto now = services_.clock.steady_now();
  const auto wall = services_.clock.now();
  const auto& result = reply.result;
  endpoint->last_sign = now;
  if (not_its_fault(endpoint, lane, job, result)) return;
  const auto took = now - started;
  meters_.attempt_seconds.observe(std::chrono::duration<double>(took).count());
  auto& health = endpoint->health;
  const auto verdict = webhook::classify(result, options_.success);
  const bool answered =
      verdict == webhook::Verdict::kSuccess || verdict == webhook::Verdict::kRejected;
  if (result.retry_after) health.hold_until(now + *result.retry_after);
  if (job.probe) (answered ? meters_.probe_success : meters_.probe_failure).add();
  (answered ? endpoint->last_success : endpoint->last_failure) = wall;
  if (answered && health.state() == Health::State::kActive) endpoint->reason.clear();
  if (answered) endpoint->missing = false;
  if (!answered) endpoint->reason = describe(result);
  if (lane->ended) {
    if (!answered) drop_outlived(lane, job);
  } else {
    record(*lane, job, reply, verdict, wall,
           std::chrono::duration_cast<std::chrono::milliseconds>(took));
    decide(*endpoint, lane, job, result, verdict);
    saver_.count_outcome();
    saver_.mark(lane);
  }
  auto change = Health::Change::kNone;
  if (answered) {
    change = health.on_success(started, now, static_cast<uint32_t>(endpoint->workers));
  } else if (verdict == webhook::Verdict::kGone) {
    change = health.on_gone();
  } else if (job.probe || !health.parked()) {
    change = health.on_failure(started, now, random_.fraction());
  }
  changed(endpoint, change, answered ? "a probe got through" : describe(result));
  if (job.probe) saver_.mark(endpoint);  // its backoff
  saver_.save_many();
  arm(endpoint, now);
  if (lane->ended) return;
  unload(lane);
  reader_.read_more(lane);  // a full window that moved has room again
  schedule(lane);
}

// What becomes of the event.
void Engine::decide(Endpoint& endpoint, const LanePtr& lane, const Job& job,
                    const webhook::AttemptResult& result, webhook::Verdict verdict) {
  switch (verdict) {
    case webhook::Verdict::kSuccess:
    case webhook::Verdict::kRejected:
      (verdict == webhook::Verdict::kSuccess ? meters_.success : meters_.rejected).add();
      endpoint.rate.count(services_.clock.steady_now());
      return on_settled(lane, job);
    case webhook::Verdict::kGone:
      meters_.gone.add();
      if (lane->outlived(job)) return drop_outlived(lane, job);
      return lane->give_back(job);
    case webhook::Verdict::kRetry:
      if (!lane->outlived(job)) return on_failure(endpoint, lane, job, result);
      meters_.retried.add();
      return drop_outlived(lane, job);
  }
}

void Engine::on_settled(const LanePtr& lane, const Job& job) {
  const bool replay = job.segment != nullptr && job.segment->replay() != 0;
  if (job.attempt == 1 && !replay) {
    meters_.lag_seconds.observe(
        std::chrono::duration<double>(services_.store.kept_clock().now() - job.event->committed)
            .count());
  }
  const bool own = job.segment != nullptr && !replay;
  const bool has_row =
      !own && (!replay || lane->may_be_missed(job) || lane->find_waiting(job.position) != nullptr);
  lane->settle(job);
  // A replay also settles what was missed, or waits.
  if (!has_row) return;
  retries_.settle(*lane, job.position);
}

webhook::RetrySchedule Engine::schedule_of(const Endpoint& endpoint, const Lane& lane) const {
  if (endpoint.schedule) return *endpoint.schedule;
  const auto* domain = router_.find(lane.domain());
  if (domain != nullptr && domain->retry_schedule)
    return webhook::RetrySchedule(*domain->retry_schedule, options_.retry_jitter);
  return options_.schedule;
}

void Engine::on_failure(Endpoint& endpoint, const LanePtr& lane, const Job& job,
                        const webhook::AttemptResult& result) {
  const auto now = services_.clock.now();
  const auto hook = *webhook::hook_for(job.event->event.name, job.event->event.severity);
  auto* known = lane->find_waiting(job.position);
  lane->settle(job);
  const bool of_replay = known != nullptr && job.segment != nullptr;  // its own retry goes on
  const bool replayed = known == nullptr && job.segment == nullptr;   // it got through meanwhile
  if (of_replay || replayed) return meters_.retried.add();
  Waiting waiting{job.attempt, now, Micros{}, result.status, hook};
  auto delay = std::optional(std::chrono::milliseconds(0));
  if (job.probe && endpoint.health.parked()) {
    --waiting.attempts;  // it counts when another event gets through
    waiting.probed = true;
    waiting.due = SteadyTime::max();
  } else {
    const bool may_retry =
        options_.retry_delivered || job.event->event.name != event::Name::kDelivered;
    delay = may_retry ? schedule_of(endpoint, *lane).next_delay(job.attempt, random_.fraction())
                      : std::nullopt;
  }
  waiting.delay = delay.value_or(std::chrono::milliseconds(0));
  if (!delay) {
    retries_.miss(*lane, job.position, waiting);
    return on_missed(endpoint, *lane, job, result);
  }
  meters_.retried.add();
  retries_.wait(lane, job.position, waiting);
  if (waiting.probed) return;
  retries_.at(services_.clock.steady_now() + *delay, lane, job.position);
}

void Engine::on_missed(Endpoint& endpoint, Lane& lane, const Job& job,
                       const webhook::AttemptResult& result) {
  meters_.given_up.add();
  const auto now = services_.clock.steady_now();
  if (miss_lines_.allow(now)) {
    log_warn("delivery",
             "event missed after its last attempt event={} lane={} url={} attempts={} status={} "
             "error={} left_out_before={}",
             escape_for_log(job.event->event.id), lane.id().value, webhook::masked(lane.url()),
             job.attempt, result.status, escape_for_log(result.error), miss_lines_.left_out());
  }
  tell_missed(endpoint, lane, job.event->event.id, describe(result));
}

void Engine::tell_missed(Endpoint& endpoint, const Lane& lane, std::string event,
                         std::string reason) {
  const auto now = services_.clock.steady_now();
  const bool lately = endpoint.noticed_miss != SteadyTime::min() &&
                      now - endpoint.noticed_miss < kBetweenMissNotices;
  if (lately || std::exchange(endpoint.missing, true)) return;
  endpoint.noticed_miss = now;
  control::Notice told;
  told.event = std::move(event);
  told.reason = std::move(reason);
  tell(lane, control::NoticeKind::kMissed, std::move(told));
}

void Engine::record(const Lane& lane, const Job& job, const SendReply& reply,
                    webhook::Verdict verdict, SystemTime now, std::chrono::milliseconds took) {
  store::AttemptRow row;
  row.lane = lane.id();
  row.position = job.position;
  row.at = now;
  row.written = services_.store.kept_clock().now();
  row.took = took;
  row.attempt = job.attempt;
  row.status = reply.result.status;
  row.phases = reply.result.phases;
  const bool success = verdict == webhook::Verdict::kSuccess;
  if (success) {
    row.error = reply.result.error;  // of an answer that was not sound HTTP
    recent_.add(lane.url(), row, reply.response);
  }
  if (!success || job.attempt > 1) row.response = reply.response;
  if (!success) {
    row.failure = reply.result.status != 0 ? std::string(webhook::to_string(verdict))
                                           : std::string(webhook::to_string(reply.result.kind));
    row.error = describe(reply.result);
  }
  saver_.put_attempt(std::move(row));
}

}  // namespace eventhorn::delivery
