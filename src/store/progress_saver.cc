#include "store/progress_saver.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace eventhorn::store {

ProgressSaver::ProgressSaver(const Parts& parts, const WriterOptions& options)
    : parts_(parts),
      durable_after_(options.durable_after),
      generation_(parts.health.generation()),
      worker_(parts.workers.make("progress", [this] { return turn(); })) {
  parts_.health.on_change([this] { worker_->wake(); });
}

ProgressSaver::~ProgressSaver() {
  stop();
}

void ProgressSaver::start() {
  {
    const MutexLock lock(mutex_);
    started_ = true;
  }
  worker_->wake();
}

void ProgressSaver::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  worker_->stop();
}

void ProgressSaver::save(Progress progress, std::function<void()> saved) {
  {
    const MutexLock lock(mutex_);
    queued_.push_back({std::move(progress), std::move(saved)});
  }
  worker_->wake();
}

// While the store has failed there is nothing to do: its recovery wakes the thread.
std::optional<Micros> ProgressSaver::turn() {
  bool stopping = false;
  {
    const MutexLock lock(mutex_);
    stopping = stopping_;
    if (!started_ && !stopping) return std::nullopt;
  }
  take_queued();
  if (!parts_.health.good()) return std::nullopt;
  if (!write()) return std::nullopt;
  forget_durable();
  check_invariants();
  if (saves_.empty()) return std::nullopt;
  const auto due = saves_.front().written + durable_after_;
  const auto now = parts_.clock.steady_now();
  if (now < due && !stopping) return std::chrono::ceil<Micros>(due - now);
  if (auto status = parts_.store.flush(); !status)
    parts_.health.failed(generation_, status.error());
  forget_durable();
  if (saves_.empty()) return std::nullopt;
  return durable_after_;  // the store is being recovered, which wakes the thread
}

void ProgressSaver::take_queued() {
  const MutexLock lock(mutex_);
  for (auto& save : queued_) saves_.push_back(std::move(save));
  queued_.clear();
}

// The store may be recovered just before a write, and have lost what was written before it: then
// all is written again.
Status ProgressSaver::write() {
  do {
    TRY_STATUS(write_unwritten(parts_.health.generation()));
  } while (generation_ != parts_.health.generation());
  for (auto& save : saves_)
    if (const auto saved = std::exchange(save.saved, nullptr)) saved();
  return {};
}

Status ProgressSaver::write_unwritten(StoreHealth::Generation generation) {
  CHECK(generation_ <= generation);
  if (generation_ != generation)
    for (auto& save : saves_) save.token.reset();
  generation_ = generation;
  std::vector<const Progress*> progress;
  for (const auto& save : saves_)
    if (!save.token) progress.push_back(&save.progress);
  if (progress.empty()) return {};
  const auto token = parts_.store.save(progress);
  if (!token) {
    parts_.health.failed(generation, token.error());
    return fail(token.error());
  }
  const auto now = parts_.clock.steady_now();
  for (auto& save : saves_) {
    if (save.token) continue;
    save.token = *token;
    save.written = now;
  }
  return {};
}

void ProgressSaver::forget_durable() {
  const auto is_durable = [this](const Save& save) {
    return save.token && parts_.store.durable(*save.token);
  };
  while (!saves_.empty() && is_durable(saves_.front())) saves_.pop_front();
}

void ProgressSaver::check_invariants() const {
  for (size_t i = 1; i < saves_.size(); ++i) {
    const auto& before = saves_[i - 1].token;
    const auto& token = saves_[i].token;
    CHECK(!token || (before && *before <= *token));
  }
}

}  // namespace eventhorn::store
