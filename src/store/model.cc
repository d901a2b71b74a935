#include "store/model.h"

#include <algorithm>
#include <atomic>

namespace eventhorn::store {
namespace {

std::atomic<size_t> live_bytes{0};

}  // namespace

StoredEvent::~StoredEvent() {
  live_bytes.fetch_sub(held_, std::memory_order_relaxed);
}

void StoredEvent::hold() {
  held_ = event.bytes.size() + sizeof(StoredEvent);
  live_bytes.fetch_add(held_, std::memory_order_relaxed);
}

size_t live_event_bytes() {
  return live_bytes.load(std::memory_order_relaxed);
}

Since since_ever(Since since) {
  for (auto& position : since) {
    if (position) position = kNoPosition;
  }
  return since;
}

Since Domain::since(LaneId lane) const {
  Since out;
  for (size_t i = 0; i < webhook::kHooks; ++i) {
    for (const auto& subscription : hooks[i]) {
      if (subscription.lane == lane) out[i] = subscription.since;
    }
  }
  return out;
}

const LaneConfig* Domain::find_lane(LaneId lane) const {
  const auto it =
      std::find_if(lanes.begin(), lanes.end(), [&](const LaneConfig& l) { return l.id == lane; });
  return it == lanes.end() ? nullptr : &*it;
}

std::vector<std::string> Domain::urls(webhook::Hook hook) const {
  std::vector<std::string> out;
  for (const auto& sub : hooks[static_cast<size_t>(hook)]) out.push_back(find_lane(sub.lane)->url);
  return out;
}

void set_hook_urls(Domain& domain, webhook::Hook hook, const std::vector<std::string>& urls,
                   Position at) {
  auto& subs = domain.hooks[static_cast<size_t>(hook)];
  const auto old_subs = subs;
  subs.clear();
  for (const auto& url : urls) {
    auto lane = std::find_if(domain.lanes.begin(), domain.lanes.end(),
                             [&](const LaneConfig& l) { return l.url == url; });
    if (lane == domain.lanes.end()) {
      // Positions of edits are spaced by kEditStride (store.h); one edit may make lanes for several
      // hooks.
      LaneId id{at.value};
      for (const auto& l : domain.lanes) id.value = std::max(id.value, l.id.value + 1);
      lane = domain.lanes.insert(domain.lanes.end(), LaneConfig{id, url});
    }
    const auto kept = std::find_if(old_subs.begin(), old_subs.end(),
                                   [&](const Subscription& s) { return s.lane == lane->id; });
    subs.push_back(kept != old_subs.end() ? *kept : Subscription{lane->id, at});
  }
  std::erase_if(domain.lanes, [&](const LaneConfig& lane) {
    return std::none_of(domain.hooks.begin(), domain.hooks.end(), [&](const auto& hook_subs) {
      return std::any_of(hook_subs.begin(), hook_subs.end(),
                         [&](const Subscription& s) { return s.lane == lane.id; });
    });
  });
}

bool Progress::empty() const {
  return !mark && lanes.empty() && settled_lanes.empty() && exceptions.empty() &&
         ended_exceptions.empty() && ended_lanes.empty() && attempts.empty() && endpoints.empty() &&
         well_endpoints.empty();
}

}  // namespace eventhorn::store
