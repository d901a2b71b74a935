#include "async/bell.h"

#include <boost/asio/post.hpp>

namespace eventhorn {

void Bell::ring() {
  if (rung_.exchange(true)) return;
  asio::post(executor_, [self = shared_from_this()] { self->timer_.cancel(); });
}

Task<bool> Bell::wait(Deadline deadline) {
  while (!rung_.exchange(false)) {
    if (deadline <= clock_.steady_now()) co_return false;
    timer_.set(deadline);
    // Also ends for a ring that an earlier wait took before its post was run: look again.
    co_await timer_.wait();
  }
  co_return true;
}

}  // namespace eventhorn
