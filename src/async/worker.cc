#include "async/worker.h"

#include "base/mutex.h"

#include <atomic>
#include <pthread.h>
#include <thread>
#include <utility>

namespace eventhorn {
namespace {

class WorkerThread final : public Worker {
 public:
  WorkerThread(const char* name, Turn turn) : turn_(std::move(turn)), thread_([this] { run(); }) {
    pthread_setname_np(thread_.native_handle(), name);
  }

  ~WorkerThread() override { stop(); }

  void wake() override {
    if (woken_.exchange(true)) return;
    notify();
  }

  void stop() override {
    stopping_ = true;
    notify();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    sleep(std::nullopt);
    for (;;) {
      const bool last = stopping_;  // before the turn, so that one follows stop()
      woken_ = false;               // before the turn, so that it sees what wake() was called for
      const auto pause = turn_();
      if (pause == Micros(0)) continue;
      if (last) return;
      sleep(pause);
    }
  }

  void sleep(std::optional<Micros> pause) {
    MutexLock lock(mutex_);
    const auto end = std::chrono::steady_clock::now() + pause.value_or(Micros(0));
    while (!woken_ && !stopping_) {
      if (!pause) {
        changed_.wait(lock);
      } else if (const auto now = std::chrono::steady_clock::now(); now < end) {
        changed_.wait_for(lock, end - now);
      } else {
        return;
      }
    }
  }

  void notify() {
    {
      const MutexLock lock(mutex_);
    }  // sleep() has looked at the flags, or has not yet
    changed_.notify_one();
  }

  const Turn turn_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  Condition changed_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

std::unique_ptr<Worker> WorkerThreads::make(const char* name, Worker::Turn turn) {
  return std::make_unique<WorkerThread>(name, std::move(turn));
}

}  // namespace eventhorn
