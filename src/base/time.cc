#include "base/time.h"

#include <array>
#include <cstdio>
#include <ctime>

namespace eventhorn {
namespace {

std::tm utc(SystemTime t) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  const std::time_t raw = static_cast<std::time_t>(seconds);
  std::tm out{};
  gmtime_r(&raw, &out);
  return out;
}

}  // namespace

SystemTime SystemClock::now() const {
  return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const {
  return std::chrono::steady_clock::now();
}

std::string format_iso8601(SystemTime t) {
  const std::tm tm = utc(t);
  const auto micros = t - std::chrono::floor<std::chrono::seconds>(t);
  std::array<char, 48> buf{};
  const int n = std::snprintf(buf.data(), buf.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                              tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                              tm.tm_sec, static_cast<int>(micros.count() / 1000));
  return {buf.data(), static_cast<size_t>(n)};
}

std::string format_http_date(SystemTime t) {
  static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm tm = utc(t);
  std::array<char, 48> buf{};
  const int n = std::snprintf(buf.data(), buf.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                              kDays.at(static_cast<size_t>(tm.tm_wday)), tm.tm_mday,
                              kMonths.at(static_cast<size_t>(tm.tm_mon)), tm.tm_year + 1900,
                              tm.tm_hour, tm.tm_min, tm.tm_sec);
  return {buf.data(), static_cast<size_t>(n)};
}

}  // namespace eventhorn
