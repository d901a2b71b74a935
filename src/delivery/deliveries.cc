#include "delivery/deliveries.h"

#include "async/hop.h"
#include "base/check.h"

#include <algorithm>
#include <iterator>

namespace eventhorn::delivery {
namespace {

Task<control::EndpointStatus> read_endpoint(Engine& engine, std::string url) {
  co_return engine.operators().endpoint(url);
}

Task<std::vector<store::AttemptRow>> read_recent(Engine& engine, std::string url) {
  co_return engine.operators().recent_successes(url);
}

Task<void> tell_settings(Engine& engine, std::string url, store::EndpointSettings settings,
                         uint64_t version) {
  engine.operators().settings_changed(url, settings, version);
  co_return;
}

template <class T>
void append(std::vector<T>& all, std::vector<T> some) {
  all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
}

}  // namespace

Engine& EngineDeliveries::owner(const std::string& url) const {
  const auto it =
      std::find_if(engines_.begin(), engines_.end(), [&](const Engine* e) { return e->owns(url); });
  CHECK(it != engines_.end());
  return **it;
}

// Each core gives its first `limit`: the first of all are among them.
Task<std::vector<control::EndpointStatus>> EngineDeliveries::endpoints(
    std::optional<store::EndpointId> after, size_t limit,
    std::optional<control::EndpointState> state) {
  std::vector<control::EndpointStatus> out;
  for (auto* engine : engines_) {
    auto some =
        co_await run_on(engine->executor(), engine->operators().endpoints(after, limit, state));
    append(out, std::move(some));
  }
  std::ranges::sort(out, {}, &control::EndpointStatus::id);
  if (out.size() > limit) out.resize(limit);
  co_return out;
}

Task<std::vector<control::EndpointStatus>> EngineDeliveries::endpoints_of(
    std::vector<std::string> urls) {
  std::vector<control::EndpointStatus> out(urls.size());
  for (auto* engine : engines_) {
    std::vector<size_t> mine;
    std::vector<std::string> of_core;
    for (size_t i = 0; i < urls.size(); ++i) {
      if (!engine->owns(urls[i])) continue;
      mine.push_back(i);
      of_core.push_back(urls[i]);
    }
    if (mine.empty()) continue;
    auto some =
        co_await run_on(engine->executor(), engine->operators().endpoints_of(std::move(of_core)));
    for (size_t i = 0; i < mine.size(); ++i) out[mine[i]] = std::move(some[i]);
  }
  co_return out;
}

Task<control::EndpointStatus> EngineDeliveries::endpoint(std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), read_endpoint(engine, std::move(url)));
}

Task<std::vector<control::LaneStatus>> EngineDeliveries::lanes(std::vector<LaneId> ids) {
  std::vector<control::LaneStatus> out;
  for (auto* engine : engines_) {
    auto some = co_await run_on(engine->executor(), engine->operators().lanes(ids));
    append(out, std::move(some));
  }
  co_return out;
}

Task<std::vector<control::LaneStatus>> EngineDeliveries::lanes_of(std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), engine.operators().lanes_of(std::move(url)));
}

Task<std::vector<control::LaneStatus>> EngineDeliveries::replaying() {
  std::vector<control::LaneStatus> out;
  for (auto* engine : engines_) {
    auto some = co_await run_on(engine->executor(), engine->operators().replaying());
    append(out, std::move(some));
  }
  co_return out;
}

Task<control::LaneStatus> EngineDeliveries::lane(LaneId lane, DomainUid domain, std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), engine.operators().lane(lane, domain, std::move(url)));
}

Task<std::vector<store::AttemptRow>> EngineDeliveries::recent_successes(std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), read_recent(engine, std::move(url)));
}

Task<Status> EngineDeliveries::pause(std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), engine.operators().pause(std::move(url)));
}

Task<void> EngineDeliveries::configured(std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), engine.operators().configured(std::move(url)));
}

Task<Status> EngineDeliveries::resume(std::string url) {
  auto& engine = owner(url);
  return run_on(engine.executor(), engine.operators().resume(std::move(url)));
}

Task<void> EngineDeliveries::settings_changed(std::string url, store::EndpointSettings settings,
                                              uint64_t version) {
  auto& engine = owner(url);
  return run_on(engine.executor(),
                tell_settings(engine, std::move(url), std::move(settings), version));
}

Task<Status> EngineDeliveries::add_segments(LaneId lane, DomainUid domain, std::string url,
                                            std::vector<store::SegmentRow> segments) {
  auto& engine = owner(url);
  return run_on(engine.executor(),
                engine.operators().add_segments(lane, domain, std::move(segments)));
}

Task<Status> EngineDeliveries::attempt_again(LaneId lane, std::string url,
                                             std::vector<store::EventPtr> events) {
  auto& engine = owner(url);
  return run_on(engine.executor(), engine.operators().attempt_again(lane, std::move(events)));
}

Task<Result<bool>> EngineDeliveries::forget_events(DomainUid domain, Position through,
                                                   std::function<bool(std::string_view)> mentions) {
  bool under_way = false;
  for (auto* engine : engines_) {
    CO_TRY(const bool some, co_await run_on(engine->executor(), engine->operators().forget_events(
                                                                    domain, through, mentions)));
    under_way = under_way || some;
  }
  co_return under_way;
}

Task<Status> EngineDeliveries::change_replay(uint64_t replay, control::ReplayAction action) {
  for (auto* engine : engines_) {
    auto changed =
        co_await run_on(engine->executor(), engine->operators().change_replay(replay, action));
    if (!changed) co_return changed;
  }
  co_return Status{};
}

}  // namespace eventhorn::delivery
