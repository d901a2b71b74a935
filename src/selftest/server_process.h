// A server as a child process on a data directory, and HTTP calls to it. One thread owns it; the
// calls may come from another.
#pragma once

#include "base/result.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace eventhorn::selftest {

struct Answer {
  int status = 0;
  std::string body;
};

class ServerProcess {
 public:
  struct Options {
    std::string executable;
    std::string data;
    std::string log;                    // stderr is appended here
    std::string api_key;                // 32 hexadecimal digits
    std::vector<std::string> settings;  // key=value
  };

  explicit ServerProcess(Options options) : options_(std::move(options)) {}

  /// Kills what still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  /// Starts it on a free port and waits until it is ready. kUnavailable when it ends before, or is
  /// not ready within a minute. The child does not outlive this process.
  Status start();

  /// SIGKILL; returns when it is gone.
  void kill();

  /// SIGTERM. kUnavailable when it does not end within a minute (it is killed then), or with
  /// another status than 0.
  Status stop();

  /// One request on a connection of its own. `type` empty: no body. kUnavailable when the server is
  /// not there or breaks off.
  Result<Answer> call(std::string_view method, std::string_view path, std::string_view type = {},
                      std::string_view body = {}) const;

 private:
  bool wait_until(std::chrono::steady_clock::time_point deadline, int& status);

  const Options options_;
  pid_t pid_ = -1;
  std::atomic<uint16_t> port_ = 0;
};

}  // namespace eventhorn::selftest
