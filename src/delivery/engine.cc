// Configuration, intake, timers and saving; attempts are in attempts.cc.
#include "delivery/engine.h"

#include "base/hash.h"
#include "base/log.h"
#include "webhook/url.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace eventhorn::delivery {
namespace {

constexpr size_t kReplayChunk = 8192;
constexpr std::chrono::milliseconds kIdleSave{1000};

}  // namespace

Engine::Engine(asio::any_io_executor executor, asio::thread_pool& readers, store::Store& store,
               store::CommitQueue& commits, Sender& sender, const Clock& clock, SigningKey key,
               EngineOptions options)
    : executor_(executor),
      readers_(readers),
      store_(store),
      commits_(commits),
      sender_(sender),
      clock_(clock),
      key_(std::move(key)),
      options_(std::move(options)),
      wake_timer_(executor),
      save_timer_(executor),
      tasks_(executor),
      loops_(executor),
      meters_() {}

Engine::~Engine() {
  *alive_ = false;
}

bool Engine::owns(const std::string& url) const {
  return hash_bytes(url) % options_.cores == options_.slot;
}

void Engine::add_routes(const store::DomainPtr& domain) {
  Routes routes{domain, {}};
  bool any = false;
  for (const webhook::Hook hook : webhook::kAllHooks) {
    const auto index = static_cast<size_t>(hook);
    for (const auto& sub : domain->hooks[index]) {
      const auto* lane = domain->find_lane(sub.lane);
      if (!owns(lane->url)) continue;
      routes.hooks[index].push_back({sub.lane, sub.since, &lane->url});
      any = true;
    }
  }
  if (any) {
    routes_.insert_or_assign(domain->uid, std::move(routes));
  } else {
    routes_.erase(domain->uid);
  }
}

void Engine::subscribe(Lane& lane, const store::Domain& domain) {
  std::array<std::optional<Position>, webhook::kHooks> since;
  for (size_t i = 0; i < webhook::kHooks; ++i) {
    for (const auto& sub : domain.hooks[i]) {
      if (sub.lane == lane.id()) since[i] = sub.since;
    }
  }
  lane.subscribe(since);
}

void Engine::apply_change(const store::DomainChange& change) {
  if (change.after) {
    add_routes(change.after);
  } else {
    routes_.erase(change.before->uid);
  }
  if (change.before) {
    for (const auto& lane : change.before->lanes) {
      if (!owns(lane.url)) continue;
      if (!change.after || change.after->find_lane(lane.id) == nullptr) {
        end_lane(lane.id);
      } else if (const auto it = lanes_.find(lane.id); it != lanes_.end()) {
        subscribe(*it->second, *change.after);
      }
    }
  }
  if (!change.after) return;
  for (const auto& lane : change.after->lanes) {
    if (change.before && change.before->find_lane(lane.id) != nullptr) continue;
    const auto it = endpoints_.find(lane.url);
    if (it == endpoints_.end() || !it->second->gone) continue;
    it->second->gone = false;  // configured again: the receiver is wanted back
    for (const auto& [id, waiting] : lanes_) {
      if (waiting->url() == lane.url) read_more(waiting);
    }
    pump(*it->second);
  }
}

void Engine::end_lane(LaneId id) {
  unsaved_.ended_lanes.push_back(id);
  const auto it = lanes_.find(id);
  if (it != lanes_.end()) {
    const auto lane = it->second;
    lane->ended = true;
    if (lane->counted_behind) meters_.behind.add(-1);
    lanes_.erase(it);
    log_info("delivery", "lane ended lane={} url={} waiting={}", id.value,
             webhook::masked(lane->url()), lane->waiting());
  }
  save_soon();
}

Engine::LanePtr Engine::lane_of(const Routes& routes, LaneId id, const std::string& url) {
  auto& lane = lanes_[id];
  if (!lane) {
    lane = std::make_shared<Lane>(id, routes.domain->uid, url);
    subscribe(*lane, *routes.domain);
  }
  return lane;
}

void Engine::deliver(const EventPtr& event) {
  if (!event->push) return;
  const auto hook = webhook::hook_for(event->event.name, event->event.severity);
  if (!hook) return;
  const auto it = routes_.find(event->domain);
  if (it == routes_.end()) return;
  for (const auto& route : it->second.hooks[static_cast<size_t>(*hook)]) {
    if (event->position <= route.since) continue;
    const auto lane = lane_of(it->second, route.lane, *route.url);
    auto& segment = lane->open_segment(webhook::class_of(*hook), seen_, true);
    if (segment.caught_up() && segment.waiting() >= kReadBelow &&
        store::live_event_bytes() > options_.max_live_bytes)
      segment.fall_behind();
    (void)segment.offer(event, *hook);  // not taken: the segment is behind, and the log has it
    mark(*lane);
    schedule(lane);
  }
}

void Engine::on_commit(const store::BatchPtr& batch) {
  for (const auto& change : batch->changes) apply_change(change);
  for (const auto& event : batch->events) deliver(event);
  seen_ = batch->head;
  save_soon();
}

Task<Status> Engine::start(std::vector<store::DomainPtr> domains, store::LoadedProgress progress,
                           Position head) {
  std::unordered_map<LaneId, DomainUid> lane_domains;
  for (const auto& domain : domains) {
    add_routes(domain);
    for (const auto& lane : domain->lanes) lane_domains.emplace(lane.id, domain->uid);
  }
  const auto load = [&](LaneId id) -> LanePtr {
    const auto domain = lane_domains.find(id);
    if (domain == lane_domains.end()) {
      if (options_.slot == 0) unsaved_.ended_lanes.push_back(id);
      return nullptr;
    }
    const auto routes = routes_.find(domain->second);
    if (routes == routes_.end()) return nullptr;
    const auto* config = routes->second.domain->find_lane(id);
    return owns(config->url) ? lane_of(routes->second, id, config->url) : nullptr;
  };
  for (const auto& row : progress.lanes) {
    if (const auto lane = load(row.lane)) lane->load(row);
  }
  const SystemTime now = clock_.now();
  for (const auto& row : progress.waiting) {
    const auto lane = load(row.lane);
    if (!lane) continue;
    const Waiting waiting{row.attempts, row.last_attempt, row.delay, row.last_status, false};
    lane->load_waiting(row.position, waiting);
    const auto delay = std::chrono::duration_cast<std::chrono::milliseconds>(row.delay);
    const auto due = webhook::due_on_load(row.last_attempt, delay, now);
    retry_at(clock_.steady_now() + (due - now), lane, row.position);
  }
  const Position begin = progress.begin_of(options_.slot, options_.cores);
  const auto replayed = co_await replay(begin, head);
  if (!replayed) co_return replayed;
  seen_ = head;
  saved_through_ = begin;
  for (const auto& [id, lane] : lanes_) {
    mark(*lane);
    read_more(lane);
    schedule(lane);
  }
  loops_.spawn("delivery timers", run_timers());
  loops_.spawn("delivery saves", run_saves());
  save_soon();
  co_return Status{};
}

// Lanes without a row have settled everything up to `after`; what came later is theirs to read.
Task<Status> Engine::replay(Position after, Position head) {
  const Position from = after;
  while (after < head) {
    auto read = [&] { return store_.read_heads(after, kReplayChunk); };
    auto heads = co_await run_blocking(readers_, read);
    if (!heads) co_return fail(std::move(heads).error());
    if (heads->empty()) break;
    for (const auto& h : *heads) {
      const auto hook = h.push ? webhook::hook_for(h.name, h.severity) : std::nullopt;
      if (!hook) continue;
      const auto it = routes_.find(h.domain);
      if (it == routes_.end()) continue;
      for (const auto& route : it->second.hooks[static_cast<size_t>(*hook)]) {
        if (route.since < h.position)
          lane_of(it->second, route.lane, *route.url)
              ->open_segment(webhook::class_of(*hook), from, false);
      }
    }
    after = heads->back().position;
  }
  co_return Status{};
}

void Engine::wake_at(SteadyTime when, std::function<void()> what) {
  const bool earliest = wakes_.empty() || when < wakes_.begin()->first;
  wakes_.emplace(when, std::move(what));
  if (earliest) wake_timer_.expires_at(when);
}

void Engine::retry_at(SteadyTime when, const LanePtr& lane, Position position) {
  const std::weak_ptr<Lane> weak = lane;
  wake_at(when, [this, weak, position] {
    const auto l = weak.lock();
    if (!l || l->ended) return;
    l->due(position);
    schedule(l);
  });
}

Task<void> Engine::run_timers() {
  for (;;) {
    wake_timer_.expires_at(wakes_.empty() ? SteadyTime::max() : wakes_.begin()->first);
    co_await wake_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    while (!wakes_.empty() && wakes_.begin()->first <= std::chrono::steady_clock::now()) {
      const auto what = std::move(wakes_.begin()->second);
      wakes_.erase(wakes_.begin());
      what();
    }
  }
}

void Engine::mark(Lane& lane) {
  if (!lane.dirty) {
    lane.dirty = true;
    dirty_.push_back(lane.id());
  }
  save_soon();
}

void Engine::save_soon() {
  if (saving_) return;  // on_saved() asks again
  const std::chrono::milliseconds wait =
      dirty_.empty() && unsaved_.empty() ? kIdleSave : options_.save_interval;
  const auto due = std::chrono::steady_clock::now() + wait;
  if (due >= save_due_) return;
  save_due_ = due;
  save_timer_.expires_at(save_due_);
}

store::Progress Engine::gather() {
  auto progress = std::exchange(unsaved_, {});
  for (const LaneId id : dirty_) {
    const auto it = lanes_.find(id);
    if (it == lanes_.end()) continue;
    auto& lane = *it->second;
    lane.dirty = false;
    meters_.dropped.add(static_cast<double>(lane.take_dropped()));
    auto row = lane.row();
    const bool behind = lane.behind();
    if (behind != lane.counted_behind) meters_.behind.add(behind ? 1 : -1);
    lane.counted_behind = behind;
    if (!row.segments.empty()) {
      lane.has_row = true;
      progress.lanes.push_back(std::move(row));
    } else if (lane.has_row) {
      lane.has_row = false;
      progress.settled_lanes.push_back(id);
    }
    if (lane.settled()) lanes_.erase(it);
  }
  dirty_.clear();
  progress.slot = options_.slot;
  if (seen_ > saved_through_) progress.settled_through = seen_;
  saved_through_ = seen_;
  return progress;
}

void Engine::save_now() {
  save_due_ = SteadyTime::max();
  if (saving_) return;
  auto progress = gather();
  if (progress.empty()) return;
  saving_ = true;
  saving_outcomes_ = std::exchange(unsaved_outcomes_, 0);
  const std::weak_ptr<bool> alive = alive_;
  commits_.save(std::move(progress), [this, alive, executor = executor_] {
    asio::post(executor, [this, alive] {
      const auto still = alive.lock();
      if (still && *still) on_saved();
    });
  });
}

void Engine::on_saved() {
  saving_ = false;
  options_.unsaved->fetch_sub(std::exchange(saving_outcomes_, 0));
  if (!dirty_.empty() || !unsaved_.empty() || seen_ > saved_through_) save_soon();
  pump_queue();
}

Task<void> Engine::run_saves() {
  for (;;) {
    save_timer_.expires_at(save_due_);
    co_await save_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (save_due_ <= std::chrono::steady_clock::now()) save_now();
  }
}

Task<void> Engine::stop(Deadline deadline) {
  stopping_ = true;
  if (const bool drained = co_await tasks_.join(deadline); !drained) {
    log_warn("delivery", "attempts interrupted at shutdown; they will be made again count={}",
             tasks_.size());
    tasks_.cancel();
    co_await tasks_.join(Deadline::max());
  }
  loops_.cancel();
  co_await loops_.join(Deadline::max());
  // After the saves that are queued; the commit queue answers or the process ends with the store
  // failed.
  const auto saved =
      std::make_shared<asio::steady_timer>(executor_, deadline + std::chrono::seconds(5));
  auto progress = gather();
  commits_.save(std::move(progress), [saved, executor = executor_] {
    asio::post(executor, [saved] { saved->cancel(); });
  });
  co_await saved->async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace eventhorn::delivery
