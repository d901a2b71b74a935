#include "async/timer.h"

#include "async/moved_clock.h"
#include "base/check.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace eventhorn {
namespace {

// Also when the coroutine is cancelled, or destroyed.
struct Disarm {
  SteadyTime& armed;

  ~Disarm() { armed = SteadyTime::min(); }
};

}  // namespace

Timer::Timer(asio::any_io_executor executor, const Clock& clock, SteadyTime when)
    : clock_(clock),
      moved_(dynamic_cast<const MovedClock*>(&clock)),
      timer_(executor),
      when_(when) {
  if (moved_ != nullptr) moved_->timers_.push_back(this);
}

Timer::~Timer() {
  if (moved_ != nullptr) std::erase(moved_->timers_, this);
}

void Timer::set(SteadyTime when) {
  when_ = when;
  if (when < armed_) timer_.cancel();  // a later time is found when the earlier one has come
}

Task<bool> Timer::wait() {
  CHECK(armed_ == SteadyTime::min());
  while (!cancelled_ && when_ > clock_.steady_now()) {
    armed_ = moved_ != nullptr ? SteadyTime::max() : when_;
    timer_.expires_at(armed_);
    const Disarm disarm{armed_};
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return !std::exchange(cancelled_, false);
}

void Timer::cancel() {
  cancelled_ = true;
  timer_.cancel();
}

Task<void> sleep_until(const Clock& clock, SteadyTime when) {
  Timer timer(co_await asio::this_coro::executor, clock, when);
  co_await timer.wait();
}

}  // namespace eventhorn
