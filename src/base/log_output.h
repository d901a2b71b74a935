// Where lines of log go: a descriptor that nobody may be reading. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

namespace eventhorn {

/// Writes lines to a descriptor without ever waiting for its reader (reliability C16). A line goes
/// out at once where the descriptor takes it; otherwise a thread writes it, and up to
/// `max_queued_bytes` behind it, as fast as they are read. Lines beyond that are lost and counted,
/// and the next one that gets through says how many. Lives as long as the process: its thread may
/// be blocked for ever.
class LogOutput {
 public:
  static constexpr size_t kMaxQueuedBytes = 1 << 20;

  explicit LogOutput(int fd, size_t max_queued_bytes = kMaxQueuedBytes)
      : fd_(fd), max_queued_bytes_(max_queued_bytes) {}

  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  /// `line` ends with a line break.
  void write(std::string line);

  /// Waits until everything is written, or for so long. True when nothing is left.
  bool flush(std::chrono::milliseconds timeout);

 private:
  bool takes_at_once(size_t bytes) const;
  bool has_thread();
  void run();

  const int fd_;
  const size_t max_queued_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;  // the first is being written
  size_t queued_bytes_ = 0;
  uint64_t lost_ = 0;
  bool thread_started_ = false;
};

}  // namespace eventhorn
