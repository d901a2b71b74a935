// What a selftest saw, and what that means. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace eventhorn::selftest {

/// One receiver, and the domain whose events went to it.
struct ReceiverReport {
  std::string name;
  bool good = false;
  uint64_t sent = 0;       // events that the server acknowledged
  uint64_t confirmed = 0;  // different ones that the receiver took, in the end
  uint64_t repeated = 0;   // taken once more
  /// The good one: from sending to receiving, of events that no kill came between. nullopt: too
  /// few.
  std::optional<std::chrono::microseconds> p99;
  /// Of its endpoint, before the bad receivers turned good. Empty: the server does not tell.
  std::string state;

  uint64_t lost() const { return sent > confirmed ? sent - confirmed : 0; }
};

struct Report {
  std::vector<ReceiverReport> receivers;
  unsigned kills = 0;
  /// What one kill may repeat: the attempts in flight and the outcomes not yet saved.
  uint64_t repeats_per_kill = 0;
  /// What the good receiver must stay under: a slot that a bad one holds is held for that long.
  std::chrono::milliseconds p99_limit{0};
  /// What went wrong otherwise, e.g. a server that did not start. Lower case, one line each.
  std::vector<std::string> problems;
};

/// Everything that speaks against passing, a line each; empty when the selftest is passed: nothing
/// lost, at most `kills` times `repeats_per_kill` repeated by all receivers together, the good
/// receiver's p99 under its limit, no problems.
std::vector<std::string> find_failures(const Report& report);

/// The table of the receivers and the verdict, for a terminal; ends with a newline.
std::string render(const Report& report);

}  // namespace eventhorn::selftest
