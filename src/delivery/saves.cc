// Saving: what changed is gathered every few milliseconds into one write.
#include "delivery/engine.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr std::chrono::milliseconds kIdleSave{1000};
constexpr std::chrono::seconds kFlushTimeout{10};

}  // namespace

void Engine::mark(Lane& lane) {
  if (!lane.dirty) {
    lane.dirty = true;
    dirty_.push_back(lane.id());
  }
  save_soon();
}

void Engine::save_endpoint(const EndpointPtr& endpoint) {
  if (endpoint->dirty) return;
  endpoint->dirty = true;
  dirty_endpoints_.push_back(endpoint);
  save_soon();
}

void Engine::save_soon() {
  if (saving_ || save_is_soon_) return;  // on_saved() asks again
  const bool changes =
      !dirty_.empty() || !dirty_endpoints_.empty() || !unsaved_.empty() || !flush_waits_.empty();
  const auto due = services_.clock.steady_now() + (changes ? options_.save_interval : kIdleSave);
  if (due >= save_timer_.when()) return;
  save_is_soon_ = changes;
  save_timer_.set(due);
}

void Engine::gather_endpoints(store::Progress& progress) {
  for (const auto& endpoint : std::exchange(dirty_endpoints_, {})) {
    endpoint->dirty = false;
    const auto& health = endpoint->health;
    if (health.state() != Health::State::kActive) {
      progress.endpoints.push_back({.url = endpoint->url,
                                    .state = health.state(),
                                    .since = endpoint->since,
                                    .last_success = endpoint->last_success.value_or(SystemTime{}),
                                    .last_failure = endpoint->last_failure.value_or(SystemTime{}),
                                    .failures = health.failures_in_row(),
                                    .probes = health.probes(),
                                    .healthy_peak = health.healthy_peak(),
                                    .reason = endpoint->reason});
      endpoint->stored = true;
    } else if (endpoint->stored) {
      progress.well_endpoints.push_back(endpoint->url);
      endpoint->stored = false;
    }
  }
}

store::Progress Engine::gather() {
  auto progress = std::exchange(unsaved_, {});
  gather_endpoints(progress);
  for (const LaneId id : dirty_) {
    const auto it = lanes_.find(id);
    if (it == lanes_.end()) continue;
    const auto lane = it->second;
    lane->dirty = false;
    lane->remove_settled_segments();
    auto row = lane->row();
    const bool behind = lane->behind();
    if (behind != lane->counted_behind) meters_.behind.add(behind ? 1 : -1);
    lane->counted_behind = behind;
    if (!row.segments.empty()) {
      lane->has_row = true;
      progress.lanes.push_back(std::move(row));
    } else if (lane->has_row) {
      lane->has_row = false;
      progress.settled_lanes.push_back(id);
    }
    if (lane->settled()) forget(lane);
  }
  dirty_.clear();
  progress.slot = options_.slot;
  if (seen_ > saved_through_) progress.settled_through = seen_;
  saved_through_ = seen_;
  flushing_.insert(flushing_.end(), flush_waits_.begin(), flush_waits_.end());
  flush_waits_.clear();
  return progress;
}

bool Engine::misses_unsaved() const {
  return saving_missed_ > 0 ||
         std::ranges::any_of(unsaved_.exceptions, &store::ExceptionRow::missed);
}

void Engine::save_now() {
  save_timer_.set(SteadyTime::max());
  save_is_soon_ = false;
  if (saving_ || !started_) return;
  auto progress = gather();
  if (progress.empty() && flushing_.empty()) return;
  saving_ = true;
  saving_missed_ =
      static_cast<size_t>(std::count_if(progress.exceptions.begin(), progress.exceptions.end(),
                                        [](const store::ExceptionRow& row) { return row.missed; }));
  saving_outcomes_ = std::exchange(unsaved_outcomes_, 0);
  const std::weak_ptr<bool> alive = alive_;
  services_.commits.save(std::move(progress), [this, alive, executor = executor_] {
    asio::post(executor, [this, alive] {
      const auto still = alive.lock();
      if (still && *still) on_saved();
    });
  });
}

void Engine::on_saved() {
  saving_ = false;
  options_.unsaved->fetch_sub(std::exchange(saving_outcomes_, 0));
  // Whoever sees the count finds them listed.
  meters_.missed.add(static_cast<double>(std::exchange(saving_missed_, 0)));
  for (const auto& waiter : std::exchange(flushing_, {})) waiter->cancel();
  if (!dirty_.empty() || !dirty_endpoints_.empty() || !unsaved_.empty() || !flush_waits_.empty() ||
      seen_ > saved_through_) {
    save_soon();
  }
  read_waiting();
  pump_queues(places_);
}

Task<void> Engine::run_saves() {
  for (;;) {
    co_await save_timer_.wait();
    save_now();
  }
}

// Ends when all that is changed now is written. kUnavailable when the store does not take it in
// time; it is written later.
Task<Status> Engine::flushed() {
  const auto saved = std::make_shared<Timer>(executor_, services_.clock,
                                             services_.clock.steady_now() + kFlushTimeout);
  flush_waits_.push_back(saved);
  save_now();
  const bool late = co_await saved->wait();
  if (!late) co_return Status{};
  co_return fail(Errc::kUnavailable,
                 "cannot be saved now: the store does not take it; see its log");
}

}  // namespace eventhorn::delivery
