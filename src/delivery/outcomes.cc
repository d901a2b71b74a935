#include "delivery/outcomes.h"

#include "base/check.h"
#include "base/strings.h"
#include "webhook/url.h"

#include <utility>

namespace eventhorn::delivery {
namespace {

// Before an endpoint is tried again after a fault of ours.
constexpr std::chrono::seconds kAfterOwnFault{1};
constexpr uint8_t kMaxReads = 3;  // of an event that is damaged, before it is missed

std::string describe(const webhook::AttemptResult& result) {
  return result.error.empty() ? "HTTP status " + std::to_string(result.status) : result.error;
}

bool is_replay(const Job& job) {
  return job.segment != nullptr && job.segment->replay() != 0;
}

metrics::Counter outcome_counter(const char* outcome) {
  return metrics::counter("eventhorn_deliveries_total", "Attempts by outcome",
                          {{"outcome", outcome}});
}

metrics::Counter probe_counter(const char* outcome) {
  return metrics::counter("eventhorn_probes_total", "Attempts to parked endpoints by outcome",
                          {{"outcome", outcome}});
}

}  // namespace

Outcomes::Meters::Meters()
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
      attempt_seconds(metrics::histogram("eventhorn_attempt_seconds", "Time of an attempt",
                                         metrics::latency_buckets())),
      lag_seconds(metrics::histogram("eventhorn_delivery_lag_seconds",
                                     "From commit to a success at the first attempt",
                                     metrics::latency_buckets())) {}

Outcomes::Outcomes(Parts parts, OutcomesOptions options) : parts_(parts), options_(options) {}

void Outcomes::on_reply(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                        const SendReply& reply, SteadyTime started) {
  const auto now = parts_.clock.steady_now();
  const auto wall = parts_.clock.now();
  const auto& result = reply.result;
  endpoint->workers().sign(now);
  if (not_its_fault(endpoint, lane, job, result)) return;
  const auto took = now - started;
  meters_.attempt_seconds.observe(std::chrono::duration<double>(took).count());
  auto& health = endpoint->health();
  auto& story = endpoint->story();
  const auto verdict = webhook::classify(result, options_.success);
  const bool answered =
      verdict == webhook::Verdict::kSuccess || verdict == webhook::Verdict::kRejected;
  if (result.retry_after) health.hold_until(now + *result.retry_after);
  if (job.probe) (answered ? meters_.probe_success : meters_.probe_failure).add();
  (answered ? story.last_success : story.last_failure) = wall;
  if (answered && endpoint->active()) story.reason.clear();
  if (answered) endpoint->misses().got_through();
  if (!answered) story.reason = describe(result);
  if (lane->ended) {
    if (!answered) drop_outlived(lane, job);
  } else {
    record(*lane, job, reply, verdict, wall,
           std::chrono::duration_cast<std::chrono::milliseconds>(took));
    decide(lane, job, result, verdict);
    parts_.saver.count_outcome();
    parts_.saver.mark(lane);
  }
  auto change = Health::Change::kNone;
  if (answered) {
    change = health.on_success(started, now, static_cast<uint32_t>(endpoint->workers().count()));
  } else if (verdict == webhook::Verdict::kGone) {
    change = health.on_gone();
  } else if (job.probe || !health.parked()) {
    change = health.on_failure(started, now, parts_.random.fraction());
  }
  if (change != Health::Change::kNone)
    parts_.transitions.on_change(endpoint, change,
                                 answered ? "a probe got through" : describe(result));
  if (job.probe) parts_.saver.mark(endpoint);  // its backoff
  parts_.saver.save_many();
  parts_.scheduler.arm(endpoint, now);
  if (lane->ended) return;
  parts_.transitions.unload(lane);
  parts_.reader.read_more(lane);  // a full window that moved has room again
  parts_.scheduler.schedule(lane);
}

// An attempt that says nothing about the receiver: it is made again and counts for nobody.
bool Outcomes::not_its_fault(const EndpointPtr& endpoint, const LanePtr& lane, const Job& job,
                             const webhook::AttemptResult& result) {
  using webhook::FailureKind;
  if (result.status != 0) return false;
  const bool own_fault = result.kind == FailureKind::kLocal || result.kind == FailureKind::kProxy;
  if (result.kind != FailureKind::kCancelled && !own_fault) return false;
  if (own_fault) on_own_fault(*endpoint, job, result);
  if (lane->ended || lane->outlived(job)) {
    drop_outlived(lane, job);
  } else {
    lane->give_back(job);
  }
  if (lane->ended) return true;
  parts_.transitions.unload(lane);
  parts_.scheduler.schedule(lane);
  return true;
}

void Outcomes::on_own_fault(Endpoint& endpoint, const Job& job,
                            const webhook::AttemptResult& result) {
  meters_.own_fault.add();
  endpoint.story().reason = describe(result);
  const auto now = parts_.clock.steady_now();
  endpoint.health().hold_until(now + kAfterOwnFault);
  ++own_faults_unlogged_;
  if (now < own_fault_log_due_) return;  // such a fault comes for all URLs at once
  own_fault_log_due_ = now + kAfterOwnFault;
  log_warn("delivery",
           "attempt not made, not by the receiver's fault url={} event={} error={} "
           "attempts_since_last_such_line={}",
           webhook::masked(endpoint.url()), escape_for_log(job.event->event.id),
           escape_for_log(result.error), std::exchange(own_faults_unlogged_, 0));
}

// Its webhook was removed while it was under way, and it did not get through.
void Outcomes::drop_outlived(const LanePtr& lane, const Job& job) {
  if (!is_replay(job)) meters_.dropped.add();
  if (lane->ended) return;
  lane->settle(job);
  if (job.segment == nullptr) parts_.retries.settle(*lane, job.position);
  parts_.saver.mark(lane);
}

// What becomes of the event.
void Outcomes::decide(const LanePtr& lane, const Job& job, const webhook::AttemptResult& result,
                      webhook::Verdict verdict) {
  switch (verdict) {
    case webhook::Verdict::kSuccess:
    case webhook::Verdict::kRejected:
      (verdict == webhook::Verdict::kSuccess ? meters_.success : meters_.rejected).add();
      lane->endpoint->story().rate.count(parts_.clock.steady_now());
      return on_settled(lane, job);
    case webhook::Verdict::kGone:
      meters_.gone.add();
      if (lane->outlived(job)) return drop_outlived(lane, job);
      return lane->give_back(job);
    case webhook::Verdict::kRetry:
      if (!lane->outlived(job)) return on_failure(lane, job, result);
      meters_.retried.add();
      return drop_outlived(lane, job);
  }
}

void Outcomes::on_settled(const LanePtr& lane, const Job& job) {
  const bool replay = is_replay(job);
  if (job.attempt == 1 && !replay) {
    meters_.lag_seconds.observe(
        std::chrono::duration<double>(parts_.store.kept_clock().now() - job.event->committed)
            .count());
  }
  const bool own = job.segment != nullptr && !replay;
  const bool has_row = !own && (!replay || lane->may_be_missed(job) ||
                                lane->retries().find(job.position) != nullptr);
  lane->settle(job);
  // A replay also settles what was missed, or waits.
  if (has_row) parts_.retries.settle(*lane, job.position);
}

void Outcomes::on_failure(const LanePtr& lane, const Job& job,
                          const webhook::AttemptResult& result) {
  const auto hook = webhook::hook_for(job.event->event.name, job.event->event.severity);
  CHECK(hook);
  auto* known = lane->retries().find(job.position);
  lane->settle(job);
  const bool of_replay = known != nullptr && job.segment != nullptr;  // its own retry goes on
  const bool replayed = known == nullptr && job.segment == nullptr;   // it got through meanwhile
  if (of_replay || replayed) return meters_.retried.add();
  Waiting waiting;
  waiting.attempts = job.attempt;
  waiting.last_attempt = parts_.clock.now();
  waiting.last_status = result.status;
  waiting.hook = *hook;
  auto delay = std::optional(std::chrono::milliseconds(0));
  if (job.probe && lane->endpoint->health().parked()) {
    --waiting.attempts;  // it counts when another event gets through
    waiting.probed = true;
    waiting.due = SteadyTime::max();
  } else {
    const bool may_retry =
        options_.retry_delivered || job.event->event.name != event::Name::kDelivered;
    delay = may_retry ? parts_.transitions.schedule_of(*lane).next_delay(job.attempt,
                                                                         parts_.random.fraction())
                      : std::nullopt;
  }
  waiting.delay = delay.value_or(std::chrono::milliseconds(0));
  if (!delay) {
    parts_.retries.miss(*lane, job.position, waiting);
    return on_missed(*lane, job, result);
  }
  meters_.retried.add();
  parts_.retries.wait(lane, job.position, waiting);
  if (waiting.probed) return;
  parts_.retries.at(parts_.clock.steady_now() + *delay, lane, job.position);
}

void Outcomes::on_missed(const Lane& lane, const Job& job, const webhook::AttemptResult& result) {
  meters_.given_up.add();
  if (miss_lines_.allow(parts_.clock.steady_now())) {
    log_warn("delivery",
             "event missed after its last attempt event={} lane={} url={} attempts={} status={} "
             "error={} left_out_before={}",
             escape_for_log(job.event->event.id), lane.id().value, webhook::masked(lane.url()),
             job.attempt, result.status, escape_for_log(result.error), miss_lines_.left_out());
  }
  tell_missed(lane, job.event->event.id, describe(result));
}

void Outcomes::tell_missed(const Lane& lane, std::string event, std::string reason) {
  if (!lane.endpoint->misses().take(parts_.clock.steady_now())) return;
  control::Notice told;
  told.event = std::move(event);
  told.reason = std::move(reason);
  parts_.transitions.tell(lane, control::NoticeKind::kMissed, std::move(told));
}

void Outcomes::on_unreadable(const LanePtr& lane, const Job& job, const Error& error) {
  lane->settle(job);
  auto* waiting = lane->retries().find(job.position);
  if (waiting == nullptr) return;
  if (error.code == Errc::kCorruption) ++waiting->failed_reads;
  const auto now = parts_.clock.steady_now();
  if (read_lines_.allow(now)) {
    log_error("delivery",
              "cannot read an event for its retry lane={} position={} reads_of_damage={} error={} "
              "left_out_before={}",
              lane->id().value, job.position.value, waiting->failed_reads, error.message,
              read_lines_.left_out());
  }
  if (waiting->failed_reads < kMaxReads) {
    waiting->read_due = now + options_.between_reads;
    return parts_.retries.at(waiting->read_due, lane, job.position);
  }
  auto last = *waiting;
  last.last_attempt = parts_.clock.now();
  last.delay = Micros{};
  store::AttemptRow row;
  row.lane = lane->id();
  row.position = job.position;
  row.at = last.last_attempt;
  row.written = parts_.store.kept_clock().now();
  row.attempt = job.attempt;
  row.failure = "unreadable";
  row.error = error.message;
  parts_.saver.put_attempt(std::move(row));
  parts_.retries.miss(*lane, job.position, last);
  tell_missed(*lane, "", "unreadable: " + error.message);
  parts_.saver.mark(lane);
  parts_.scheduler.schedule(lane);
}

void Outcomes::on_unwanted(const LanePtr& lane, const Job& job) {
  lane->settle(job);
  parts_.retries.settle(*lane, job.position);
  if (job.event || job.position <= lane->erased_through) {
    meters_.dropped.add();
  } else {
    parts_.reader.on_expired(*lane, 1);  // retention was faster than the retries
  }
  parts_.saver.mark(lane);
  parts_.scheduler.schedule(lane);
}

void Outcomes::record(const Lane& lane, const Job& job, const SendReply& reply,
                      webhook::Verdict verdict, SystemTime now, std::chrono::milliseconds took) {
  store::AttemptRow row;
  row.lane = lane.id();
  row.position = job.position;
  row.at = now;
  row.written = parts_.store.kept_clock().now();
  row.took = took;
  row.attempt = job.attempt;
  row.status = reply.result.status;
  row.phases = reply.result.phases;
  const bool success = verdict == webhook::Verdict::kSuccess;
  if (success) {
    row.error = reply.result.error;  // of an answer that was not sound HTTP
    parts_.recent.add(lane.url(), row, reply.response);
  }
  if (!success || job.attempt > 1) row.response = reply.response;
  if (!success) {
    row.failure = reply.result.status != 0 ? std::string(webhook::to_string(verdict))
                                           : std::string(webhook::to_string(reply.result.kind));
    row.error = describe(reply.result);
  }
  parts_.saver.put_attempt(std::move(row));
}

}  // namespace eventhorn::delivery
