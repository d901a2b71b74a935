#include "async/bell.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace eventhorn {

void Bell::ring() {
  if (rung_.exchange(true)) return;
  asio::post(executor_, [self = shared_from_this()] { self->timer_.cancel(); });
}

Task<bool> Bell::wait(Deadline deadline) {
  while (!rung_.exchange(false)) {
    if (deadline <= std::chrono::steady_clock::now()) co_return false;
    timer_.expires_at(deadline);
    // Also ends for a ring that an earlier wait took before its post was run: look again.
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_return true;
}

}  // namespace eventhorn
