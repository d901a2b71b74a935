#include "delivery/sweep.h"

#include <algorithm>
#include <utility>

namespace eventhorn::delivery {
namespace {

constexpr std::chrono::seconds kInterval{1};
constexpr size_t kEndpointsPerStep = 256;  // looked at before the core looks after its other work
constexpr int kShare = 200;  // one part of the time in so many, with very many endpoints
constexpr std::chrono::minutes kKeepIdle{5};  // an endpoint that is well and has nothing to do

metrics::Gauge state_gauge(control::EndpointState state) {
  return metrics::gauge("eventhorn_endpoints", "Endpoints in use or not well, by state",
                        {{"state", std::string(to_string(state))}});
}

double difference(size_t a, size_t b) {
  return static_cast<double>(a) - static_cast<double>(b);
}

}  // namespace

Sweep::Meters::Meters()
    : endpoints{state_gauge(control::EndpointState::kActive),
                state_gauge(control::EndpointState::kThrottled),
                state_gauge(control::EndpointState::kParked),
                state_gauge(control::EndpointState::kGone),
                state_gauge(control::EndpointState::kPaused)},
      replays(metrics::gauge("eventhorn_replays_active", "Segments of replays not yet done")) {}

Sweep::Sweep(asio::any_io_executor executor, Parts parts)
    : parts_(parts), timer_(std::move(executor), parts_.clock) {}

Task<void> Sweep::run() {
  SteadyTime::duration took{};
  for (;;) {
    timer_.set(parts_.clock.steady_now() +
               std::max<SteadyTime::duration>(kInterval, kShare * took));
    co_await timer_.wait();
    const auto started = parts_.clock.steady_now();
    co_await sweep();
    took = parts_.clock.steady_now() - started;
  }
}

void Sweep::wake_held() {
  if (!parts_.retries.take_crowded()) return;
  for (const auto& lane : parts_.lanes.all()) {
    if (!lane->retries().empty() && parts_.retries.allows(*lane)) parts_.scheduler.schedule(lane);
  }
}

void Sweep::count_replays() {
  size_t replays = 0;
  for (const auto& lane : parts_.lanes.replaying())
    replays += static_cast<size_t>(std::ranges::count_if(lane->segments(), is_replaying));
  meters_.replays.add(difference(replays, std::exchange(counted_replays_, replays)));
}

void Sweep::count(const Counts& counts) {
  for (size_t i = 0; i < counts.size(); ++i)
    meters_.endpoints[i].add(difference(counts[i], counted_[i]));
  counted_ = counts;
}

Task<void> Sweep::sweep() {
  const auto now = parts_.clock.steady_now();
  wake_held();
  count_replays();
  Counts counts{};
  bool forgotten = false;
  std::optional<store::EndpointId> after;
  for (size_t seen = 1;; ++seen) {
    const auto* next = parts_.endpoints.next(after);
    if (next == nullptr) break;
    auto& e = **next;
    after = e.id();
    if (e.idle_since(now - kKeepIdle) && !parts_.saver.holds(e)) {
      parts_.endpoints.forget(*next);
      forgotten = true;
    } else {
      const auto state = parts_.operators.state_of(e);
      ++counts[static_cast<size_t>(state)];
      const bool throttled = state == control::EndpointState::kThrottled;
      if (throttled != e.story().throttled_since.has_value()) parts_.transitions.on_throttled(e);
    }
    if (seen % kEndpointsPerStep == 0) co_await yield_now();
  }
  if (forgotten) parts_.endpoints.forget_hosts();
  count(counts);
}

}  // namespace eventhorn::delivery
