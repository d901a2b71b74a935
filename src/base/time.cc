#include "base/time.h"

#include "base/check.h"
#include "base/hash.h"

#include <ctime>
#include <fstream>

namespace eventhorn {
namespace {

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

}  // namespace eventhorn
