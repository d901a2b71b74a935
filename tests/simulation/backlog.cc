#include "simulation/backlog.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace eventhorn::simulation {
namespace {

// Counts outlive their events by so long; then they may go.
constexpr std::chrono::hours kCountedAfterwards{24 * 7};

bool wants(const store::LaneQuery& query, const Model::Event& event) {
  return event.domain == query.domain && event.hook && query.wants(*event.hook, event.position) &&
         event.position > query.after && event.position <= *query.to;
}

bool has(const std::vector<store::PositionRange>& ranges, Position position) {
  return std::ranges::any_of(ranges, [&](const store::PositionRange& range) {
    return range.first <= position && position <= range.last;
  });
}

/// True when the segment, of the lane's own, has the event still to do.
bool has(const store::SegmentRow& segment, const Model::Event& event) {
  return segment.replay == 0 && segment.cls == webhook::class_of(*event.hook) &&
         event.position > segment.acked_through && (!segment.to || event.position <= *segment.to) &&
         !has(segment.settled, event.position);
}

/// What the store may count: from what it must still know to all that there ever was.
class Expected {
 public:
  explicit Expected(const Model& model) : model_(model) {}

  void add(const Model::Event& event) {
    ++most_.events;
    most_.bytes += event.bytes.size();
    if (model_.is_gone(event, kCountedAfterwards)) return;
    ++least_.events;
    least_.bytes += event.bytes.size();
  }

  std::optional<std::string> check(const store::EventCount& counted) const {
    const bool well = counted.events >= least_.events && counted.events <= most_.events &&
                      counted.bytes >= least_.bytes && counted.bytes <= most_.bytes;
    if (well) return std::nullopt;
    return fmt::format("{} events of {} bytes in place of {} of {}", counted.events, counted.bytes,
                       most_.events, most_.bytes);
  }

 private:
  const Model& model_;
  store::EventCount least_;
  store::EventCount most_;
};

}  // namespace

std::optional<std::string> check_count(const Model& model, const store::LaneQuery& query,
                                       const store::EventCount& counted) {
  Expected expected(model);
  for (const auto& event : model.log()) {
    if (wants(query, event)) expected.add(event);
  }
  const auto wrong = expected.check(counted);
  return wrong ? std::optional("counted in the log: " + *wrong) : std::nullopt;
}

LaneView::LaneView(const Model& model, store::DomainPtr domain, store::LaneConfig lane)
    : model_(model),
      domain_(std::move(domain)),
      lane_(std::move(lane)),
      since_(domain_->since(lane_.id)),
      asked_(model.now()),
      life_(model.lives()) {}

store::LaneQuery LaneView::query(const store::SegmentRow& segment, Position through) const {
  store::LaneQuery out;
  out.domain = domain_->uid;
  out.cls = segment.cls;
  out.after = segment.acked_through;
  out.to = std::min(segment.to.value_or(through), through);
  out.since = since_;
  return out;
}

std::optional<std::string> LaneView::check_segment(const store::SegmentRow& segment,
                                                   Position through,
                                                   const store::EventCount& unsettled) const {
  Expected expected(model_);
  const auto all = query(segment, through);
  for (const auto& event : model_.log()) {
    if (wants(all, event) && !has(segment.settled, event.position)) expected.add(event);
  }
  const auto wrong = expected.check(unsettled);
  return wrong ? std::optional(fmt::format("the backlog of {}: {}", lane_.url, *wrong))
               : std::nullopt;
}

std::optional<std::string> LaneView::check_event(const Model::Event& event,
                                                 const control::LaneStatus& status,
                                                 bool exception) const {
  const auto delivery = std::ranges::find(event.deliveries, lane_.id, &Model::Delivery::lane);
  if (delivery == event.deliveries.end() || delivery->dropped || delivery->optional ||
      delivery->replays > 0 || model_.may_be_replayed(event, lane_.url))
    return std::nullopt;
  const bool listed = std::ranges::any_of(
      status.segments, [&](const store::SegmentRow& segment) { return has(segment, event); });
  if (!delivery->settled() && !listed && !exception && !model_.is_gone(event))
    return fmt::format("listed as settled, and is not: {} for {}", event.bytes, lane_.url);
  // What was settled before the process began it may not know.
  const auto& all = delivery->settlements;
  const bool known = delivery->settled() && std::ranges::all_of(all, [&](const auto& settlement) {
                       return settlement.life == life_ && settlement.at < asked_;
                     });
  if (known && (listed || exception))
    return fmt::format("listed as unsettled, and is settled: {} for {}", event.bytes, lane_.url);
  return std::nullopt;
}

std::optional<std::string> LaneView::check(const control::LaneStatus& status,
                                           const std::set<Position>& exceptions) const {
  const auto& options = model_.options();
  if (status.waiting > options.max_exceptions + options.max_concurrency)
    return fmt::format("too many events wait for a retry: {} for {}", status.waiting, lane_.url);
  for (const auto& event : model_.log()) {
    if (event.position > status.through) break;
    if (event.domain != domain_->uid || !event.hook) continue;
    if (auto wrong = check_event(event, status, exceptions.contains(event.position))) return wrong;
  }
  return std::nullopt;
}

std::optional<std::string> check_endpoint(const Model& model, const control::EndpointStatus& status,
                                          std::optional<SteadyTime> paused_before) {
  const bool paused = paused_before && model.paused_since(status.url) == paused_before;
  if (paused && status.state != control::EndpointState::kPaused)
    return "listed as not paused: " + status.url;
  if (status.in_flight > model.options().max_concurrency)
    return "listed with too many attempts under way: " + status.url;
  return std::nullopt;
}

}  // namespace eventhorn::simulation
