#include "base/log.h"

#include "base/log_output.h"
#include "base/strings.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unistd.h>

namespace eventhorn {
namespace {

constexpr std::chrono::seconds kFlushFor{1};

// Never destroyed: its thread may be writing when the process ends.
LogOutput& output() {
  static auto* const instance = new LogOutput(STDERR_FILENO);
  return *instance;
}

class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    output().write(fmt::to_string(line));
  }

  void flush_() override {}
};

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("eventhorn", std::make_shared<Sink>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Reliability A9: whatever a caller forgot to escape, a line stays one line.
void escape_controls(std::string& line) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  if (std::ranges::none_of(line, is_control)) return;
  std::string out;
  for (const char c : line) {
    if (!is_control(c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  line = std::move(out);
}

}  // namespace

void set_log_level(LogLevel level) {
  logger().set_level(to_spdlog(level));
}

bool log_enabled(LogLevel level) {
  return logger().should_log(to_spdlog(level));
}

void write_log(LogLevel level, std::string_view module, fmt::string_view format,
               fmt::format_args args) {
  if (!log_enabled(level)) return;
  std::string line = fmt::vformat(format, args);
  escape_controls(line);
  logger().log(to_spdlog(level), "{} {}", module, line);
}

void flush_log() {
  (void)output().flush(kFlushFor);
}

bool LogLimit::allow(SteadyTime now) {
  if (now - window_ >= kPer) {
    window_ = now;
    lines_ = 0;
  }
  if (lines_ >= kLines) {
    ++left_out_;
    return false;
  }
  ++lines_;
  return true;
}

}  // namespace eventhorn
