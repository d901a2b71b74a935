// Structured logs on stderr, one line each: "2026-03-11T09:45:12.418Z info  delivery parked url=...
// lane=...". Thread-safe. Values that come from outside go through escape_for_log (strings.h),
// which also bounds them; control characters that are left come out as \xNN. Secrets never come
// here.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace eventhorn {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// Lines below `level` are dropped. Default kInfo.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void write_log(LogLevel level, std::string_view module, fmt::string_view format,
               fmt::format_args args);

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
