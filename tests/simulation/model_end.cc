// The verdict of the model: what is still to come, what is late, and what must hold in the end.
#include "control/retention.h"
#include "simulation/model.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::simulation {
namespace {

constexpr size_t kReadAtOnce = 1000;
// So long an attempt takes of the core, and all that goes before it, in the calm.
constexpr std::chrono::milliseconds kWork{25};
// What else may take its time: reads and saves that failed before the calm, Retry-After, slow
// start.
constexpr std::chrono::minutes kSlack{10};
// While a core has more than enough waiting, a lane has at least so many of its own, or is held.
constexpr size_t kFewWaiting = 16;

}  // namespace

Result<Model::Missed> Model::read_missed(store::Store& store) const {
  Missed out;
  for (const auto& [uid, domain] : domains_) {
    for (const auto& lane : domain->lanes) {
      Position after;
      for (bool more = true; more;) {
        TRY(const auto rows, store.read_exceptions(lane.id, after, kReadAtOnce, true));
        for (const auto& row : rows) out[lane.id].insert(row.position);
        more = rows.size() == kReadAtOnce;
        if (more) after = rows.back().position;
      }
    }
  }
  return out;
}

template <class F>
void Model::for_each_open(const Missed& missed, F each) const {
  for (const auto& event : log_) {
    for (const auto& delivery : event.deliveries) {
      if (delivery.settled() || delivery.dropped || delivery.optional) continue;
      const auto of_lane = missed.find(delivery.lane);
      if (of_lane != missed.end() && of_lane->second.contains(event.position)) continue;
      if (!is_gone(event)) each(event, delivery);
    }
  }
}

std::optional<std::string> Model::find_open(const Missed& missed) const {
  std::optional<std::string> out;
  for_each_open(missed, [&](const Event& event, const Delivery& delivery) {
    if (!out) out = fmt::format("{} for {}", event.bytes, delivery.url);
  });
  return out;
}

void Model::on_calm() {
  size_t attempts = replayed_.size() * log_.size();
  for (const auto& [url, of_url] : of_url_) attempts += of_url.open;
  calm_since_ = now();
  calm_work_ = kWork * attempts;
  if (options_.rate > 0)
    calm_work_ += std::chrono::duration_cast<Micros>(
        std::chrono::duration<double>(static_cast<double>(attempts) / options_.rate));
}

// In the calm: when it is tried next, at the latest, if nothing goes before it.
SteadyTime Model::due(const Delivery& delivery) const {
  if (delivery.failures == 0) return *calm_since_;
  const auto loaded = std::max(delivery.failed_at, booted_at_);
  return std::max(*calm_since_, loaded + options_.delays.most(delivery.failures));
}

// A lane in which too many events wait for a retry waits for them, and what it has not sent yet is
// behind them.
void Model::find_held(const Missed& missed) {
  struct Waiting {
    size_t events = 0;
    SteadyTime last{};
  };

  std::map<LaneId, Waiting> waiting;
  for_each_open(missed, [&](const Event&, const Delivery& delivery) {
    if (delivery.failures == 0) return;
    auto& of_lane = waiting[delivery.lane];
    ++of_lane.events;
    of_lane.last = std::max(of_lane.last, due(delivery));
  });
  const size_t most = std::min(options_.max_exceptions, kFewWaiting);
  for (const auto& [lane, of_lane] : waiting) {
    auto& until = held_until_[lane];
    if (of_lane.events >= most) until = std::max(until, of_lane.last);
  }
}

std::optional<std::string> Model::find_late(const Missed& missed) {
  find_held(missed);
  std::optional<std::string> out;
  for_each_open(missed, [&](const Event& event, const Delivery& delivery) {
    const auto when = std::max(due(delivery), held_until_[delivery.lane]);
    if (!out && now() > when + kSlack + calm_work_)
      out = fmt::format("late: {} for {}", event.bytes, delivery.url);
  });
  return out;
}

std::optional<std::string> Model::find_missed_early(const Missed& missed) const {
  for (const auto& event : log_) {
    for (const auto& delivery : event.deliveries) {
      const auto of_lane = missed.find(delivery.lane);
      if (of_lane == missed.end() || !of_lane->second.contains(event.position)) continue;
      if (delivery.failures >= attempts_of(event) || delivery.dropped ||
          may_be_replayed(event, delivery.url))
        continue;
      return fmt::format("missed after {} attempts: {} for {}", delivery.failures, event.bytes,
                         delivery.url);
    }
  }
  return std::nullopt;
}

bool Model::is_gone(const Event& event, Micros ago) const {
  const auto age = now() - event.committed_since;
  return age + ahead_.value_or(Micros(0)) >= options_.retention + ago;
}

bool Model::done(store::Store& store) {
  const auto missed = read_missed(store);
  if (!missed) return false;
  judge(find_missed_early(*missed));
  if (calm_since_) judge(find_late(*missed));
  return !find_open(*missed);
}

void Model::check_end(store::Store& store) {
  const auto missed = read_missed(store);
  if (!missed) return break_with("cannot read what was missed: " + missed.error().message);
  judge(find_missed_early(*missed));
  check_expected();
  if (const auto open = find_open(*missed))
    return break_with("neither settled nor missed: " + *open);
  for (const auto& event : log_) {
    const auto stored = store.read_events({event.position});
    if (!stored) return break_with("cannot read the log: " + stored.error().message);
    const auto& found = stored->front();
    if (!found && !is_gone(event)) return break_with("the log has lost " + event.bytes);
    if (found && found->event.bytes != event.bytes)
      return break_with("the log has changed " + event.bytes);
    const auto age = world_.clock().steady_now() - event.committed_until;
    const auto look = control::Retention::interval(
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.retention));
    if (found && !ahead_ && age > options_.retention + 3 * look + Pace::kBegun)
      return break_with("retention has left " + event.bytes);
  }
}

}  // namespace eventhorn::simulation
