#include "delivery/saver.h"

#include "base/check.h"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <utility>

namespace eventhorn::delivery {
namespace {

constexpr std::chrono::milliseconds kIdleSave{1000};
constexpr std::chrono::seconds kFlushTimeout{10};
constexpr std::chrono::seconds kFinish{5};  // beyond the deadline

size_t count_missed(const store::Progress& progress) {
  return static_cast<size_t>(
      std::ranges::count_if(progress.exceptions, &store::ExceptionRow::missed));
}

}  // namespace

Saver::Saver(asio::any_io_executor executor, const Clock& clock, SaverOptions options, Save save,
             Listener& listener)
    : executor_(std::move(executor)),
      clock_(clock),
      options_(std::move(options)),
      save_(std::move(save)),
      listener_(listener),
      timer_(executor_, clock),
      missed_(metrics::counter("eventhorn_missed_total",
                               "Events given up for a URL after the last attempt")),
      behind_(metrics::gauge("eventhorn_lanes_behind",
                             "Lanes that read the log because they are behind")) {}

Saver::~Saver() {
  *alive_ = false;
}

void Saver::begin(Position through) {
  CHECK(!begun_);
  begun_ = true;
  through_ = through;
  save_soon();
}

Task<void> Saver::run() {
  for (;;) {
    co_await timer_.wait();
    save_now();
  }
}

Task<void> Saver::finish(Deadline deadline) {
  if (!begun_) co_return;
  auto last = std::exchange(changes_, {});
  auto progress = gather(last);
  const auto saved = std::make_shared<Timer>(executor_, clock_, deadline + kFinish);
  // Behind the saves that are queued. The store answers, or the process ends with it failed.
  // It holds the timer weakly, because a store that does not answer keeps what it calls back longer
  // than there are timers.
  const std::weak_ptr<Timer> waiting = saved;
  save_(std::move(progress), [waiting, executor = executor_] {
    asio::post(executor, [waiting] {
      if (const auto timer = waiting.lock()) timer->cancel();
    });
  });
  co_await saved->wait();
  give_back(last.outcomes);
  for (const auto& waiter : last.waits) waiter->cancel();
  if (!saving_) co_return;
  for (const auto& waiter : std::exchange(saving_->waits, {})) waiter->cancel();
}

void Saver::mark(const EndpointPtr& endpoint) {
  if (endpoint->saving.dirty_) return;
  endpoint->saving.dirty_ = true;
  changes_.endpoints.push_back(endpoint);
  save_soon();
}

void Saver::forget(Lane& lane) {
  if (std::exchange(lane.saving.behind_, false)) behind_.add(-1);
}

void Saver::put_exception(store::ExceptionRow row) {
  changes_.rows.exceptions.push_back(row);
  save_soon();
}

void Saver::end_exception(LaneId lane, Position position) {
  changes_.rows.end_exception(lane, position);
  save_soon();
}

void Saver::put_attempt(store::AttemptRow row) {
  changes_.rows.attempts.push_back(std::move(row));
  save_soon();
}

void Saver::end_lane(LaneId lane) {
  changes_.rows.ended_lanes.push_back(lane);
  save_soon();
}

void Saver::end_endpoint(std::string url) {
  changes_.rows.well_endpoints.push_back(std::move(url));
  save_soon();
}

void Saver::handed_over(Position through) {
  CHECK(through >= through_);
  through_ = through;
  save_soon();
}

void Saver::count_outcome() {
  ++changes_.outcomes;
  options_.unsaved->fetch_add(1);
}

void Saver::save_many() {
  if (changes_.outcomes >= options_.max_unsaved / 4) save_now();
}

bool Saver::misses_unsaved() const {
  return (saving_ && saving_->missed > 0) || count_missed(changes_.rows) > 0;
}

void Saver::save_soon() {
  if (saving_ || soon_) return;  // on_saved() asks again
  const bool changes = changes_.any();
  const auto due = clock_.steady_now() + (changes ? options_.interval : kIdleSave);
  if (due >= timer_.when()) return;
  soon_ = changes;
  timer_.set(due);
}

void Saver::save_now() {
  timer_.set(SteadyTime::max());
  soon_ = false;
  if (saving_ || !begun_) return;
  auto changes = std::exchange(changes_, {});
  auto progress = gather(changes);
  if (progress.empty() && changes.waits.empty()) {
    CHECK(changes.outcomes == 0);  // each leaves the record of its attempt
    return;
  }
  saving_.emplace(changes.outcomes, count_missed(progress), std::move(changes.waits));
  const std::weak_ptr<bool> alive = alive_;
  save_(std::move(progress), [this, alive, executor = executor_] {
    asio::post(executor, [this, alive] {
      const auto still = alive.lock();
      if (still && *still) on_saved();
    });
  });
}

void Saver::gather_endpoint(const EndpointPtr& endpoint, store::Progress& progress) {
  auto& mark = endpoint->saving;
  CHECK(mark.dirty_);
  mark.dirty_ = false;
  if (auto row = endpoint->row()) {
    progress.endpoints.push_back(*std::move(row));
    mark.has_row_ = true;
  } else if (std::exchange(mark.has_row_, false)) {
    progress.well_endpoints.push_back(endpoint->url());
  }
}

void Saver::gather_lane(const LanePtr& lane, store::Progress& progress) {
  if (lane->ended) return;
  auto& mark = lane->saving;
  CHECK(mark.dirty_);
  mark.dirty_ = false;
  lane->segments().remove_settled();
  auto row = lane->row();
  const bool behind = lane->segments().behind();
  if (behind != std::exchange(mark.behind_, behind)) behind_.add(behind ? 1 : -1);
  if (!row.segments.empty()) {
    progress.lanes.push_back(std::move(row));
    mark.has_row_ = true;
  } else if (std::exchange(mark.has_row_, false)) {
    progress.settled_lanes.push_back(lane->id());
  }
  if (lane->settled()) listener_.on_settled(lane);
}

// Takes the rows out of the changes, and makes those of the lanes and endpoints.
store::Progress Saver::gather(Changes& changes) {
  auto progress = std::exchange(changes.rows, {});
  for (const auto& endpoint : changes.endpoints) gather_endpoint(endpoint, progress);
  for (const auto& lane : changes.lanes) gather_lane(lane, progress);
  if (through_ > saved_through_ && !options_.slots.empty())
    progress.mark = {options_.slots, through_};
  saved_through_ = through_;
  return progress;
}

void Saver::on_saved() {
  CHECK(saving_);
  const auto saved = *std::move(saving_);
  saving_.reset();
  give_back(saved.outcomes);
  missed_.add(static_cast<double>(saved.missed));  // who sees the count finds them listed
  for (const auto& waiter : saved.waits) waiter->cancel();
  if (changes_.any() || through_ > saved_through_) save_soon();
  listener_.on_saved();
}

void Saver::give_back(size_t outcomes) {
  const size_t before = options_.unsaved->fetch_sub(outcomes);
  CHECK(before >= outcomes);
}

Task<Status> Saver::flushed() {
  const auto saved =
      std::make_shared<Timer>(executor_, clock_, clock_.steady_now() + kFlushTimeout);
  changes_.waits.push_back(saved);
  save_now();
  const bool late = co_await saved->wait();
  if (!late) co_return Status{};
  co_return fail(Errc::kUnavailable,
                 "cannot be saved now: the store does not take it; see its log");
}

}  // namespace eventhorn::delivery
