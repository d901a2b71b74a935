// `eventhorn selftest --hostile`: a server as a child, receivers of every bad kind and a good one
// on loopback, events for all of them, and kill -9 at random moments. First the good one must get
// everything while the others are bad; then they turn good, and what was kept for them must come.
#pragma once

#include "selftest/report.h"

#include <chrono>
#include <cstdint>
#include <string>

namespace eventhorn::selftest {

struct HostileOptions {
  uint64_t events = 2000;            // for each receiver
  unsigned kills = 5;                // at random moments while events are sent
  std::chrono::seconds seconds{15};  // over which they are sent
};

/// Runs it in a temporary directory, which is removed when the selftest is passed; blocks for
/// `seconds` and as long as the deliveries take. `executable` is the server's. Progress goes to
/// stderr. Never fails: what goes wrong is in the report.
Report run_hostile(const HostileOptions& options, const std::string& executable);

}  // namespace eventhorn::selftest
