#include "base/time.h"

#include "base/check.h"
#include "base/hash.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>

namespace eventhorn {
namespace {

std::tm utc(SystemTime t) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
  const std::time_t raw = static_cast<std::time_t>(seconds);
  std::tm out{};
  gmtime_r(&raw, &out);
  return out;
}

// Linux makes the id anew at each boot (random(4)). 0 where the file cannot be read: BootTime then
// takes each process for a boot of its own.
uint64_t read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  return std::getline(file, id) && !id.empty() ? hash_bytes(id) | 1 : 0;
}

}  // namespace

SystemClock::SystemClock() : boot_(read_boot_id()) {}

SystemTime SystemClock::now() const {
  return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady_now() const {
  return std::chrono::steady_clock::now();
}

BootTime SystemClock::boot_now() const {
  std::timespec now{};
  CHECK(::clock_gettime(CLOCK_BOOTTIME, &now) == 0);
  return {boot_, std::chrono::duration_cast<Micros>(std::chrono::seconds(now.tv_sec) +
                                                    std::chrono::nanoseconds(now.tv_nsec))};
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
