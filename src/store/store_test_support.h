// Events for tests of the store.
#pragma once

#include "store/model.h"

#include <string>
#include <vector>

namespace eventhorn::store {

inline constexpr DomainUid kDomain{100};
inline constexpr DomainUid kOtherDomain{101};
inline constexpr int64_t kBaseUs = 1'773'222'000'000'001;

inline NewEvent make_event(const std::string& id, int64_t timestamp_us = kBaseUs,
                           event::Name name = event::Name::kDelivered, DomainUid domain = kDomain) {
  NewEvent out;
  out.domain = domain;
  out.shard = {7};
  out.event.id = id;
  out.event.timestamp_us = timestamp_us;
  out.event.name = name;
  out.event.severity =
      name == event::Name::kFailed ? event::Severity::kTemporary : event::Severity::kNone;
  out.event.order_key = 0xfeed;
  out.event.bytes = R"({"id":")" + id + R"("})";
  return out;
}

inline ExceptionRow exception_row(LaneId lane, Position position, bool missed,
                                  webhook::Hook hook = webhook::Hook::kDelivered) {
  return {lane, position, missed, 2, from_micros(kBaseUs), Micros(5), 503, hook};
}

inline std::vector<std::string> ids_of(const std::vector<EventPtr>& events) {
  std::vector<std::string> out;
  for (const auto& e : events) out.push_back(e ? e->event.id : "null");
  return out;
}

}  // namespace eventhorn::store
