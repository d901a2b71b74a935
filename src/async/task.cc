#include "async/task.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace eventhorn {

Task<void> sleep_until(Deadline deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  co_await timer.async_wait(asio::use_awaitable);
}

Task<void> yield_now() {
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
}

namespace detail {
namespace {

Task<void> call(void (*fn)(void*), void* arg) {
  fn(arg);
  co_return;
}

}  // namespace

Task<void> run_on(asio::any_io_executor executor, void (*fn)(void*), void* arg) {
  // No cancellation slot: Asio 1.81 would emit the signal on the pool, where the child may have
  // ended meanwhile (use after free). A cancelled caller sees its cancellation at its next
  // co_await.
  co_await asio::co_spawn(
      executor, call(fn, arg),
      asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
}

}  // namespace detail
}  // namespace eventhorn
