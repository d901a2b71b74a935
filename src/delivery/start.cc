// The start: what earlier processes left is taken up.
#include "base/log.h"
#include "delivery/engine.h"
#include "webhook/url.h"

#include <algorithm>
#include <unordered_set>

namespace eventhorn::delivery {
namespace {

constexpr size_t kReplayChunk = 8192;

}  // namespace

Task<Status> Engine::start(const std::vector<store::DomainPtr>& domains,
                           const store::LoadedProgress& progress, const SettingsByUrl& settings,
                           Position head) {
  for (const auto& [url, s] : settings) {
    if (router_.owns(url)) endpoints_.load_settings(url, s);
  }
  for (const auto& domain : domains) router_.add(domain);
  load_endpoints(progress, domains);
  load_lanes(progress, domains);
  router_.handed_over(head);
  auto replayed = co_await replay(progress.marks, head);
  if (!replayed) co_return replayed;
  for (const auto& lane : lanes_.all()) {
    saver_.mark(lane);
    scheduler_.schedule(lane);
  }
  saver_.begin(head);
  loops_.spawn("delivery timers", timers_.run());
  loops_.spawn("delivery saves", saver_.run());
  loops_.spawn("delivery sweeps", sweep_.run());
  co_return Status{};
}

// Rows of URLs that no domain names any more are dropped.
void Engine::load_endpoints(const store::LoadedProgress& progress,
                            const std::vector<store::DomainPtr>& domains) {
  std::unordered_map<std::string_view, const store::EndpointRow*> rows;
  for (const auto& row : progress.endpoints) {
    if (router_.owns(row.url)) rows.emplace(row.url, &row);
  }
  if (rows.empty()) return;
  const auto now = services_.clock.steady_now();
  for (const auto& domain : domains) {
    for (const auto& lane : domain->lanes) {
      const auto it = rows.find(lane.url);
      if (it == rows.end()) continue;
      const auto& row = *it->second;
      auto& endpoint = *endpoints_.of(row.url);
      endpoint.load(row, now, random_.fraction());
      saver_.found(endpoint);
      rows.erase(it);
    }
  }
  for (const auto& [url, row] : rows) saver_.end_endpoint(std::string(url));
}

void Engine::load_lanes(const store::LoadedProgress& progress,
                        const std::vector<store::DomainPtr>& domains) {
  std::unordered_set<LaneId> wanted;
  for (const auto& row : progress.lanes) wanted.insert(row.lane);
  for (const auto& row : progress.waiting) wanted.insert(row.lane);
  std::unordered_map<LaneId, DomainUid> domain_of;
  for (const auto& domain : domains) {
    for (const auto& lane : domain->lanes) {
      if (wanted.contains(lane.id)) domain_of.emplace(lane.id, domain->uid);
    }
  }
  std::unordered_set<LaneId> ended;
  const auto load = [&](LaneId id) -> LanePtr {
    const auto domain = domain_of.find(id);
    if (domain != domain_of.end()) return lanes_.find_or_make(id, domain->second);
    if (options_.core == 0 && ended.insert(id).second) saver_.end_lane(id);
    return nullptr;
  };
  for (const auto& row : progress.lanes) {
    const auto lane = load(row.lane);
    if (!lane) continue;
    lane->load(row);
    saver_.found(*lane);
    if (std::ranges::any_of(lane->segments(), is_replaying)) lanes_.begin_replay(row.lane);
  }
  const auto now = services_.clock.now();
  const auto steady_now = services_.clock.steady_now();
  for (const auto& row : progress.waiting) {
    const auto lane = load(row.lane);
    if (!lane) continue;
    // A process that died after its webhook was removed may not have saved that it was dropped.
    // Were it kept, it would be sent once the webhook is set again, or is by now.
    if (!lane->hooks().wants_saved(row.hook, row.hook_since)) {
      saver_.end_exception(row.lane, row.position);
      continue;
    }
    Waiting waiting;
    waiting.attempts = row.attempts;
    waiting.last_attempt = row.last_attempt;
    waiting.delay = row.delay;
    waiting.last_status = row.last_status;
    waiting.hook = row.hook;
    const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(row.delay);
    const auto due = webhook::due_on_load(row.last_attempt, delay, now);
    retries_.load(lane, row.position, waiting, steady_now + (due - now));
  }
}

// Lanes without a row have settled everything up to the mark of their slot; what came later is
// theirs to read.
Task<Status> Engine::replay(const store::SlotMarks& marks, Position head) {
  Position after = marks.least_of(router_.slots());
  while (after < head) {
    auto read = [&] { return services_.store.read_heads(after, kReplayChunk); };
    auto heads = co_await run_blocking(services_.readers, read);
    if (!heads) co_return fail(std::move(heads).error());
    if (heads->empty()) break;
    for (const auto& h : *heads) {
      const auto hook = h.push ? webhook::hook_for(h.name, h.severity) : std::nullopt;
      if (!hook) continue;
      const auto match = router_.match(h.domain, *hook);
      for (const auto& route : match.routes) {
        const Position settled = marks.begin_of(*route.url, options_.cores);
        if (std::max(route.since, settled) < h.position)
          lanes_.of(*match.domain, route.lane, *route.url)
              ->segments()
              .open(webhook::class_of(*hook), settled, false);
      }
    }
    after = heads->back().position;
  }
  co_return Status{};
}

}  // namespace eventhorn::delivery
