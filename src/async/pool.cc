#include "async/pool.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <pthread.h>
#include <thread>
#include <vector>

namespace eventhorn {

struct Pool::Threads {
  Threads(const char* name, size_t count) : context(static_cast<int>(count)) {
    CHECK(count >= 1);
    for (size_t i = 0; i < count; ++i) {
      auto& thread = threads.emplace_back([this] { context.run(); });
      pthread_setname_np(thread.native_handle(), name);
    }
  }

  ~Threads() {
    context.stop();
    join();
  }

  void join() {
    work.reset();
    for (auto& thread : threads) thread.join();
    threads.clear();
  }

  asio::io_context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::vector<std::thread> threads;
};

Pool::Pool(const char* name, size_t threads)
    : threads_(std::make_unique<Threads>(name, threads)),
      executor_(threads_->context.get_executor()) {}

Pool::Pool(asio::any_io_executor executor) : executor_(std::move(executor)) {}

Pool::~Pool() = default;

void Pool::join() {
  if (threads_) threads_->join();
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
