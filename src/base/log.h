// Structured logs on stderr, one line each: "2026-03-11T09:45:12.418Z info  delivery parked url=...
// lane=...". Thread-safe, and never waits for whoever reads them (log_output.h). Values that come
// from outside go through escape_for_log (strings.h), which also bounds them; control characters
// that are left come out as \xNN. Secrets never come here.
#pragma once

#include "base/time.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

namespace eventhorn {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// Lines below `level` are dropped. Default kInfo.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void write_log(LogLevel level, std::string_view module, fmt::string_view format,
               fmt::format_args args);

/// Waits a second at most until the lines so far are written: before the process ends.
void flush_log();

/// For lines that may come as fast as events: how many of one kind are written. Not thread-safe.
class LogLimit {
 public:
  static constexpr unsigned kLines = 100;
  static constexpr std::chrono::seconds kPer{1};

  /// True when one more may be written.
  bool allow(SteadyTime now);

  /// How many were not, since the last call: for the next line that is.
  uint64_t left_out() { return std::exchange(left_out_, 0); }

 private:
  SteadyTime window_{};
  unsigned lines_ = 0;
  uint64_t left_out_ = 0;
};

template <class... Args>
void log_debug(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(LogLevel::kDebug)) {
    write_log(LogLevel::kDebug, module, format, fmt::make_format_args(args...));
  }
}

template <class... Args>
void log_info(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kInfo, module, format, fmt::make_format_args(args...));
}

template <class... Args>
void log_warn(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kWarn, module, format, fmt::make_format_args(args...));
}

template <class... Args>
void log_error(std::string_view module, fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kError, module, format, fmt::make_format_args(args...));
}

}  // namespace eventhorn
