#include "delivery/timers.h"

#include "base/check.h"

namespace eventhorn::delivery {

void Timers::at(SteadyTime when, std::function<void()> what) {
  wakes_.emplace(when, std::move(what));
  if (when < timer_.when()) timer_.set(when);
}

Task<void> Timers::run() {
  for (;;) {
    timer_.set(wakes_.empty() ? SteadyTime::max() : wakes_.begin()->first);
    const bool due = co_await timer_.wait();
    CHECK(due && !wakes_.empty());
    while (!wakes_.empty() && wakes_.begin()->first <= clock_.steady_now()) {
      const auto what = std::move(wakes_.begin()->second);
      wakes_.erase(wakes_.begin());
      what();
    }
  }
}

}  // namespace eventhorn::delivery
