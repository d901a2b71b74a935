#include "delivery/attempts.h"

#include "async/timer.h"
#include "webhook/payload.h"
#include "webhook/standard.h"

#include <array>
#include <optional>
#include <utility>

namespace eventhorn::delivery {
namespace {

// Before an event in memory that cannot be read anew is tried again.
constexpr std::chrono::seconds kAfterFailedRead{1};

}  // namespace

Attempts::Attempts(Parts parts, std::chrono::milliseconds timeout, TaskGroup& tasks)
    : parts_(parts), timeout_(timeout), tasks_(tasks) {}

void Attempts::start(Attempt attempt) {
  tasks_.spawn("delivery", work(std::move(attempt)));
}

Task<void> Attempts::work(Attempt first) {
  const auto endpoint = first.endpoint();
  std::optional<Attempt> attempt(std::move(first));
  co_await yield_now();  // an attempt may end at once: never within the caller
  for (;;) {
    co_await make(*attempt);
    attempt.reset();
    parts_.scheduler.pump_queues();  // those who wait for a place come first
    auto next = parts_.scheduler.next(endpoint);
    if (!next) co_return;
    attempt.emplace(*std::move(next));
    parts_.scheduler.pump(endpoint);  // a success may have made room for one more
  }
}

Task<void> Attempts::make(Attempt& attempt) {
  auto& job = attempt.job();
  if (job.position <= attempt.lane()->erased_through) job.event.reset();
  if (!job.event) {
    const bool loaded = co_await load_event(attempt);
    if (!loaded) co_return;
  }
  const auto& endpoint = attempt.endpoint();
  const auto started = parts_.clock.steady_now();
  const auto deadline = started + timeout_;
  auto reply = co_await send(*endpoint, *job.event, deadline, false);
  if (reply.stale) reply = co_await send(*endpoint, *job.event, deadline, true);
  attempt.decide();
  parts_.outcomes.on_reply(endpoint, attempt.lane(), job, reply, started);
}

// The event of a retry, or one that may have been erased since it was read. False when there is
// nothing to send.
Task<bool> Attempts::load_event(Attempt& attempt) {
  const auto lane = attempt.lane();
  auto& job = attempt.job();
  const std::vector<Position> positions{job.position};
  auto read = [&] { return parts_.store.read_events(positions); };
  auto events = co_await run_blocking(parts_.readers, read);
  if (lane->ended) {
    attempt.decide();
    parts_.outcomes.on_lane_ended();
    co_return false;
  }
  if (!events && job.segment != nullptr) {
    // It is given back.
    co_await sleep_until(parts_.clock, parts_.clock.steady_now() + kAfterFailedRead);
    co_return false;
  }
  if (!events) {
    attempt.decide();
    parts_.outcomes.on_unreadable(lane, job, events.error());
    co_return false;
  }
  job.event = std::move(events->front());
  const auto hook = job.event ? webhook::hook_for(job.event->event.name, job.event->event.severity)
                              : std::nullopt;
  if (hook && lane->wants(job.segment, *hook, job.position)) co_return true;
  attempt.decide();
  parts_.outcomes.on_unwanted(lane, job);
  co_return false;
}

// Signs and sends.
Task<SendReply> Attempts::send(const Endpoint& endpoint, const store::StoredEvent& event,
                               Deadline deadline, bool fresh_connection) {
  const auto now = parts_.clock.now();
  const auto keys = parts_.keys();
  const auto signature = webhook::make_signature(*keys.current, now, parts_.random);
  const std::string prefix = webhook::payload_prefix(signature);
  std::string head = webhook::previous_signature_head(keys, signature);
  const auto& secrets = endpoint.sending().secrets;
  if (!secrets.empty()) {
    const std::array<std::string_view, 3> body = {prefix, event.event.bytes,
                                                  webhook::kPayloadSuffix};
    head += webhook::standard_head(secrets, event.event.id, now, body);
  }
  const auto target = endpoint.sending().target;  // settings may change meanwhile
  const Message message{head, prefix, event.event.bytes, webhook::kPayloadSuffix, fresh_connection};
  auto reply = co_await parts_.sender.post(*target, message, deadline);
  co_return reply;
}

}  // namespace eventhorn::delivery
