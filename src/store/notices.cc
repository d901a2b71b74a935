#include "store/notices.h"

#include "store/deliveries.h"

namespace eventhorn::store {

std::string_view to_string(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::kParked:
      return "endpoint.parked";
    case NoticeKind::kGone:
      return "endpoint.gone";
    case NoticeKind::kReturned:
      return "endpoint.returned";
    case NoticeKind::kMissed:
      return "event.missed";
    case NoticeKind::kExpired:
      return "events.expired";
  }
  return "";
}

std::string_view to_string(EndpointState state) {
  switch (state) {
    case EndpointState::kActive:
      return "active";
    case EndpointState::kThrottled:
      return "throttled";
    case EndpointState::kParked:
      return "parked";
    case EndpointState::kGone:
      return "gone";
    case EndpointState::kPaused:
      return "paused";
  }
  return "";
}

void NoticeBoard::post(Notice notice) {
  const std::lock_guard lock(mutex_);
  notice.id = ++last_id_;
  for (const auto& [number, listener] : listeners_) listener(notice);
  kept_.push_back(std::move(notice));
  if (kept_.size() > kKeep) kept_.pop_front();
}

std::vector<Notice> NoticeBoard::after(uint64_t id, size_t max) const {
  const std::lock_guard lock(mutex_);
  std::vector<Notice> out;
  for (const auto& notice : kept_) {
    if (notice.id > id && out.size() < max) out.push_back(notice);
  }
  return out;
}

uint64_t NoticeBoard::listen(Listener listener) {
  const std::lock_guard lock(mutex_);
  listeners_.emplace(++last_listener_, std::move(listener));
  return last_listener_;
}

void NoticeBoard::unlisten(uint64_t number) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(number);
}

}  // namespace eventhorn::store
