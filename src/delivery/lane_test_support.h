// What tests of lanes share.
#pragma once

#include "delivery/lane.h"

#include <gtest/gtest.h>

namespace eventhorn::delivery {

using webhook::Hook;

inline EventPtr make_event(uint64_t position, event::Name name = event::Name::kDelivered,
                           uint64_t order_key = 0) {
  auto e = std::make_shared<store::StoredEvent>();
  e->position = {position};
  e->event.id = "e" + std::to_string(position);
  e->event.name = name;
  e->event.order_key = order_key;
  return e;
}

inline std::array<std::optional<Position>, webhook::kHooks> all_since(uint64_t since) {
  std::array<std::optional<Position>, webhook::kHooks> out;
  out.fill(Position{since});
  return out;
}

inline std::shared_ptr<Lane> make_lane() {
  auto lane = std::make_shared<Lane>(LaneId{1}, DomainUid{1}, "http://a/");
  lane->subscribe(all_since(0));
  return lane;
}

/// To the open segment of its class, which must take it.
inline void offer(Lane& lane, const EventPtr& event) {
  const auto hook = *webhook::hook_for(event->event.name, event->event.severity);
  auto& segment = lane.segments().open(webhook::class_of(hook), {event->position.value - 1}, true);
  ASSERT_TRUE(lane.offer(segment, event, hook));
}

}  // namespace eventhorn::delivery
