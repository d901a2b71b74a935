#include "store/saver.h"

#include <algorithm>
#include <utility>

namespace eventhorn::store {
namespace {

constexpr std::chrono::milliseconds kAfterFailure{1000};

}  // namespace

Saver::Saver(std::chrono::milliseconds delay, std::function<bool()> save)
    : delay_(delay), save_(std::move(save)) {}

Saver::~Saver() {
  stop();
}

void Saver::start() {
  thread_ = std::thread([this] { run(); });
}

void Saver::request() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(requested_, true)) return;
  changed_.notify_one();
}

void Saver::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Saver::run() {
  std::unique_lock lock(mutex_);
  auto delay = delay_;
  for (;;) {
    changed_.wait(lock, [this] { return requested_ || stopping_; });
    if (!requested_) return;
    changed_.wait_for(lock, delay, [this] { return stopping_; });
    requested_ = false;
    lock.unlock();
    const bool saved = save_();
    lock.lock();
    delay = saved ? delay_ : std::max(delay_, kAfterFailure);
    if (!saved && !stopping_) requested_ = true;
  }
}

}  // namespace eventhorn::store
