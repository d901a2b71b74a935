// A thread that saves what other threads change, so that none of them waits for a disk.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace eventhorn::store {

class Saver {
 public:
  /// `save` runs on the thread, `delay` after the first request since it last began to run; false
  /// asks for another run, a second later at the earliest.
  Saver(std::chrono::milliseconds delay, std::function<bool()> save);
  /// As stop().
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  void start();

  /// Any thread; does not wait.
  void request();

  /// Runs `save` a last time if it was asked for, without delay, and ends the thread.
  void stop();

 private:
  void run();

  const std::chrono::milliseconds delay_;
  const std::function<bool()> save_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;  // guarded by mutex_
  bool stopping_ = false;   // guarded by mutex_
  std::thread thread_;
};

}  // namespace eventhorn::store
