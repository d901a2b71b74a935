#include "delivery/retry_book.h"

#include "base/check.h"

#include <algorithm>
#include <unordered_map>

namespace eventhorn::delivery {
namespace {

// Of a lane while the core has more than enough waiting, whatever the others hold: one failure of a
// good receiver, or a few, must not stop its events for as long as a retry takes.
constexpr size_t kFewWaiting = 16;
constexpr size_t kFewWaitingWell = 64;
constexpr std::chrono::milliseconds kBetweenRetries{5};  // of a lane, after a return

store::ExceptionRow row_of(const Lane& lane, Position position, bool missed,
                           const Waiting& waiting) {
  return {lane.id(),
          position,
          missed,
          waiting.attempts,
          waiting.last_attempt,
          waiting.delay,
          waiting.last_status,
          waiting.hook,
          lane.hooks().since()[static_cast<size_t>(waiting.hook)]};
}

}  // namespace

RetryBook::RetryBook(RetryLimits limits, const Clock& clock, Timers& timers, Saver& saver,
                     crypto::RandomPool& random, Listener& listener)
    : limits_(limits),
      clock_(clock),
      timers_(timers),
      saver_(saver),
      random_(random),
      listener_(listener) {}

void RetryBook::load(const LanePtr& lane, Position position, const Waiting& waiting,
                     SteadyTime due) {
  put(lane, position, waiting);
  at(due, lane, position);
}

void RetryBook::wait(const LanePtr& lane, Position position, const Waiting& waiting) {
  saver_.put_exception(row_of(*lane, position, false, waiting));
  put(lane, position, waiting);
}

void RetryBook::put(const LanePtr& lane, Position position, const Waiting& waiting) {
  if (lane->retries().find(position) == nullptr) {
    ++size_;
    ++lane->endpoint->retries.waiting_;
    if (lane->retries().empty()) ++lanes_;
  }
  crowded_ = crowded_ || size_ >= limits_.per_core;
  lane->retries().wait(position, waiting);
}

void RetryBook::at(SteadyTime when, const LanePtr& lane, Position position) {
  auto* waiting = lane->retries().find(position);
  if (waiting == nullptr) return;
  waiting->due = when;
  const std::weak_ptr<Lane> weak = lane;
  timers_.at(when, [this, weak, position] {
    const auto l = weak.lock();
    if (!l || l->ended) return;
    l->retries().due(position, clock_.steady_now());
    listener_.on_due(l);
  });
}

void RetryBook::end(Lane& lane, Position position) {
  if (lane.retries().find(position) == nullptr) return;
  CHECK(size_ > 0 && lane.endpoint->retries.waiting_ > 0);
  --size_;
  --lane.endpoint->retries.waiting_;
  lane.retries().end(position);
  if (lane.retries().empty()) --lanes_;
}

void RetryBook::settle(Lane& lane, Position position) {
  end(lane, position);
  saver_.end_exception(lane.id(), position);
}

void RetryBook::miss(Lane& lane, Position position, const Waiting& last) {
  saver_.put_exception(row_of(lane, position, true, last));
  lane.misses_lately = true;
  end(lane, position);
}

void RetryBook::bring_forward(const LanePtr& lane, std::chrono::milliseconds most,
                              const webhook::RetrySchedule& schedule, bool tried) {
  const auto now = clock_.steady_now();
  const auto window =
      std::min<std::chrono::milliseconds>(most, kBetweenRetries * lane->retries().size());
  lane->retries().forget_due();
  for (auto& [position, waiting] : lane->retries().all()) {
    if (waiting.in_flight) continue;
    const bool counts = std::exchange(waiting.probed, false) && tried;
    if (counts && schedule.next_delay(waiting.attempts + 1U, 0)) {
      ++waiting.attempts;
      saver_.put_exception(row_of(*lane, position, false, waiting));
    }
    const auto spread = window * random_.fraction();
    at(std::min(waiting.due, now + std::chrono::duration_cast<Micros>(spread)), lane, position);
  }
}

void RetryBook::forget(const Lane& lane) {
  const size_t waiting = lane.retries().size();
  if (waiting == 0) return;
  CHECK(size_ >= waiting && lane.endpoint->retries.waiting_ >= waiting && lanes_ > 0);
  size_ -= waiting;
  lane.endpoint->retries.waiting_ -= waiting;
  --lanes_;
}

bool RetryBook::allows(const Lane& lane) const {
  size_t most = limits_.per_lane;
  if (size_ >= limits_.per_core) {
    const size_t share = limits_.per_core / std::max<size_t>(1, lanes_);
    const size_t few = lane.endpoint->health().well() ? kFewWaitingWell : kFewWaiting;
    most = std::min(most, std::max(share, few));
  }
  return lane.retries().size() < most;
}

void RetryBook::check_invariants(const std::vector<LanePtr>& lanes) const {
  size_t events = 0, some = 0;
  std::unordered_map<const Endpoint*, size_t> by_endpoint;
  for (const auto& lane : lanes) {
    events += lane->retries().size();
    if (!lane->retries().empty()) ++some;
    by_endpoint[lane->endpoint] += lane->retries().size();
  }
  CHECK(size_ == events && lanes_ == some);
  for (const auto& [endpoint, count] : by_endpoint) CHECK(endpoint->retries.waiting() == count);
}

}  // namespace eventhorn::delivery
