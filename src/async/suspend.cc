#include "async/suspend.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>

namespace eventhorn {

Task<void> suspend(std::function<void(std::function<void()> resume)> start) {
  auto initiate = [&start](auto handler) {
    using Handler = decltype(handler);
    // std::function wants a copyable callable; the handler is move-only.
    auto shared = std::make_shared<Handler>(std::move(handler));
    start([shared] {
      const auto executor = asio::get_associated_executor(*shared);
      asio::post(executor, [shared] { std::move (*shared)(); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiate,
                                                                       asio::use_awaitable);
}

}  // namespace eventhorn
