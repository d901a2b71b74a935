#include "delivery/scheduler.h"

#include "base/check.h"

#include <algorithm>

namespace eventhorn::delivery {
namespace {

// Before an endpoint is tried again after a fault of ours.
constexpr std::chrono::seconds kAfterOwnFault{1};

}  // namespace

Place::~Place() {
  if (scheduler_ != nullptr) scheduler_->free(*endpoint_, standing_);
}

Attempt::~Attempt() {
  if (place_.scheduler_ != nullptr && !decided_) place_.scheduler_->abandon(lane_, job_);
}

Scheduler::Scheduler(Parts parts, size_t max_in_flight, std::chrono::milliseconds look_again)
    : parts_(parts),
      look_again_(look_again),
      places_(max_in_flight),
      in_flight_(metrics::gauge("eventhorn_deliveries_in_flight", "Attempts in flight")) {}

void Scheduler::schedule(const LanePtr& lane) {
  if (lane->ended) return;
  const auto endpoint = lane->endpoint->weak_from_this().lock();
  CHECK(endpoint);
  // A parked endpoint is probed with what waits for a retry, too.
  const bool probed = endpoint->health().parked() && !lane->retries().empty();
  if (probed || lane->has_work(parts_.retries.allows(*lane))) endpoint->ring().push(lane);
  pump(endpoint);
}

void Scheduler::schedule_all(Endpoint& endpoint) {
  std::vector<LanePtr> lanes;
  for (const auto& [id, lane] : endpoint.lanes()) lanes.push_back(lane);
  for (const auto& lane : lanes) schedule(lane);
}

void Scheduler::pump(const EndpointPtr& endpoint) {
  while (auto attempt = next(endpoint)) parts_.listener.start(*std::move(attempt));
}

std::optional<Attempt> Scheduler::next(const EndpointPtr& endpoint) {
  auto& e = *endpoint;
  if (stopping_ || e.ring().empty()) return std::nullopt;
  const auto now = parts_.clock.steady_now();
  if (e.workers().count() >= e.health().limit(now)) return std::nullopt;
  if (e.health().ready_at() > now) {
    arm(endpoint, now);
    return std::nullopt;
  }
  const Standing standing = e.standing(now);
  if (!has_place(endpoint, standing)) return std::nullopt;
  LanePtr lane;
  auto job = take(e, lane, now);
  if (!job) return std::nullopt;
  places_.budget.take(standing);
  e.host().budget.take(standing);
  in_flight_.add(1);
  e.workers().start(now);
  e.touch(now);
  e.health().on_start(now);
  return std::optional<Attempt>(std::in_place, Place(*this, endpoint, standing), std::move(lane),
                                *std::move(job));
}

bool Scheduler::has_place(const EndpointPtr& endpoint, Standing standing) {
  auto& e = *endpoint;
  const bool unsaved_full = parts_.saver.full();
  if (unsaved_full) look_again_soon();
  for (auto* places : {&places_, &e.host()}) {
    const auto answer =
        unsaved_full ? Budget::Answer::kFull : places->budget.ask(standing, e.workers().count());
    if (answer == Budget::Answer::kYes) continue;
    if (answer == Budget::Answer::kFull && !std::exchange(e.queueing.in_queue_, true))
      places->queues[static_cast<size_t>(standing)].push_back(endpoint);
    return false;
  }
  return true;
}

std::optional<Job> Scheduler::take(Endpoint& endpoint, LanePtr& lane, SteadyTime now) {
  auto& ring = endpoint.ring();
  while (!ring.empty()) {
    lane = ring.pop();
    if (lane->ended) continue;
    auto job = endpoint.health().parked() ? lane->take_probe(now)
                                          : lane->take(parts_.retries.allows(*lane), now);
    if (lane->take_changed()) parts_.saver.mark(lane);
    if (lane->segments().behind()) parts_.listener.read_more(lane);
    if (!job) continue;
    ring.push(lane);
    return job;
  }
  return std::nullopt;
}

void Scheduler::look_again_soon() {
  if (std::exchange(looking_again_, true)) return;
  parts_.timers.at(parts_.clock.steady_now() + look_again_, [this] {
    looking_again_ = false;
    pump_queues(places_);
  });
}

// Serves the endpoints that wait, the well ones first, then the unknown, then the suspect ones. An
// endpoint whose standing has changed while it waited joins the queue of the new one.
void Scheduler::pump_queues(Places& places) {
  if (std::ranges::all_of(places.queues, [](const auto& queue) { return queue.empty(); })) return;
  const auto now = parts_.clock.steady_now();
  for (size_t i = 0; i < places.queues.size(); ++i) {
    auto& queue = places.queues[i];
    for (size_t n = queue.size(); n > 0 && !queue.empty(); --n) {
      // While too many outcomes are unsaved, endpoints move from the queues of hosts to those of
      // the core, because a save wakes only these.
      if (&places == &places_ && parts_.saver.full()) return look_again_soon();
      const auto endpoint = queue.front().lock();
      if (endpoint) {
        const auto standing = endpoint->standing(now);
        const auto answer = places.budget.ask(standing, endpoint->workers().count());
        if (static_cast<size_t>(standing) == i && answer == Budget::Answer::kFull) break;
      }
      queue.pop_front();
      if (!endpoint) continue;
      endpoint->queueing.in_queue_ = false;
      pump(endpoint);
    }
  }
}

void Scheduler::free(Endpoint& endpoint, Standing standing) {
  places_.budget.release(standing);
  endpoint.host().budget.release(standing);
  in_flight_.add(-1);
  endpoint.workers().end();
  pump_queues(endpoint.host());
}

void Scheduler::abandon(const LanePtr& lane, const Job& job) {
  if (lane->ended) return;
  lane->give_back(job);
  lane->endpoint->health().hold_until(parts_.clock.steady_now() + kAfterOwnFault);
  schedule(lane);
}

void Scheduler::arm(const EndpointPtr& endpoint, SteadyTime now) {
  auto when = endpoint->health().park_at();
  const auto ready = endpoint->health().ready_at();
  if (!endpoint->ring().empty() && ready > now) when = std::min(when, ready);
  if (when >= endpoint->queueing.wake_) return;
  endpoint->queueing.wake_ = when;
  const std::weak_ptr<Endpoint> weak = endpoint;
  parts_.timers.at(when, [this, weak] {
    const auto e = weak.lock();
    if (!e) return;
    e->queueing.wake_ = SteadyTime::max();
    const auto now = parts_.clock.steady_now();
    parts_.listener.on_health(e, e->health().on_time(now, parts_.random.fraction()));
    pump(e);
    arm(e, now);
  });
}

}  // namespace eventhorn::delivery
