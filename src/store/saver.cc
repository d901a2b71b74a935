#include "store/saver.h"

#include <algorithm>
#include <utility>

namespace eventhorn::store {
namespace {

constexpr std::chrono::milliseconds kAfterFailure{1000};

}  // namespace

Saver::Saver(const Clock& clock, Workers& workers, const char* name,
             std::chrono::milliseconds delay, std::function<bool()> save)
    : clock_(clock),
      delay_(delay),
      save_(std::move(save)),
      worker_(workers.make(name, [this] { return turn(); })) {}

Saver::~Saver() {
  stop();
}

void Saver::start() {
  {
    const MutexLock lock(mutex_);
    started_ = true;
  }
  worker_->wake();
}

void Saver::request() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(requested_, true)) return;
    due_ = clock_.steady_now() + delay_;
  }
  worker_->wake();
}

void Saver::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  worker_->stop();
}

std::optional<Micros> Saver::turn() {
  {
    const MutexLock lock(mutex_);
    if (!started_ || !requested_) return std::nullopt;
    const auto now = clock_.steady_now();
    if (now < due_ && !stopping_) return std::chrono::ceil<Micros>(due_ - now);
    requested_ = false;
  }
  const bool saved = save_();
  const MutexLock lock(mutex_);
  if (saved || stopping_) return requested_ ? std::optional(Micros(0)) : std::nullopt;
  requested_ = true;
  due_ = clock_.steady_now() + std::max(delay_, kAfterFailure);
  return std::max(delay_, kAfterFailure);
}

}  // namespace eventhorn::store
