#include "delivery/retries.h"

#include "base/check.h"

namespace eventhorn::delivery {

Waiting* Retries::find(Position position) {
  const auto it = waiting_.find(position);
  return it == waiting_.end() ? nullptr : &it->second;
}

void Retries::wait(Position position, const Waiting& waiting) {
  CHECK(!waiting.in_flight);
  auto& now = waiting_[position];
  now = waiting;
  now.tried = ++tried_;
}

void Retries::due(Position position, SteadyTime now) {
  const auto* waiting = find(position);
  if (waiting != nullptr && waiting->due <= now) due_.push_back(position);
}

Retries::Table::value_type* Retries::take_due(SteadyTime now) {
  while (!due_.empty()) {
    const auto it = waiting_.find(due_.front());
    due_.pop_front();
    // It may have been tried, and put off, since its time came.
    if (it == waiting_.end() || it->second.in_flight || it->second.due > now) continue;
    it->second.in_flight = true;
    return &*it;
  }
  return nullptr;
}

Retries::Table::value_type* Retries::take_oldest(SteadyTime now) {
  Table::value_type* oldest = nullptr;
  for (auto& each : waiting_) {
    if (each.second.in_flight || each.second.read_due > now) continue;
    if (oldest == nullptr || each.second.tried < oldest->second.tried) oldest = &each;
  }
  if (oldest != nullptr) oldest->second.in_flight = true;
  return oldest;
}

void Retries::settle(Position position) {
  if (auto* waiting = find(position)) waiting->in_flight = false;
}

void Retries::give_back(Position position) {
  auto* waiting = find(position);
  if (waiting == nullptr) return;
  waiting->in_flight = false;
  waiting->due = {};
  due_.push_back(position);
}

}  // namespace eventhorn::delivery
