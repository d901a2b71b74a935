#include "base/log_output.h"

#include <climits>
#include <fmt/format.h>

#include <cerrno>
#include <poll.h>
#include <string_view>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace eventhorn {
namespace {

// A descriptor that fails takes nothing: the line is lost, and nobody can be told.
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

// A pipe that can be written to has room for PIPE_BUF bytes (POSIX, write()); files always can be.
bool LogOutput::takes_at_once(size_t bytes) const {
  pollfd state{fd_, POLLOUT, 0};
  return bytes <= PIPE_BUF && ::poll(&state, 1, 0) == 1;
}

void LogOutput::write(std::string line) {
  const std::lock_guard lock(mutex_);
  if (lost_ > 0)
    line.insert(0, fmt::format("{} lines of log are lost here: nobody read them in time\n", lost_));
  if (queue_.empty() && takes_at_once(line.size())) {
    lost_ = 0;
    return write_all(fd_, line);
  }
  if (queued_bytes_ + line.size() > max_queued_bytes_ || !has_thread()) {
    ++lost_;
    return;
  }
  lost_ = 0;
  queued_bytes_ += line.size();
  queue_.push_back(std::move(line));
  changed_.notify_all();
}

// Starts it when there is none yet.
bool LogOutput::has_thread() {
  if (thread_started_) return true;
  try {
    std::thread([this] { run(); }).detach();
    thread_started_ = true;
  } catch (const std::system_error&) {
    // No thread is to be had now.
  }
  return thread_started_;
}

void LogOutput::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !queue_.empty(); });
    const std::string& line = queue_.front();
    lock.unlock();
    write_all(fd_, line);
    lock.lock();
    queued_bytes_ -= line.size();
    queue_.pop_front();
    if (queue_.empty()) changed_.notify_all();
  }
}

bool LogOutput::flush(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return queue_.empty(); });
}

}  // namespace eventhorn
