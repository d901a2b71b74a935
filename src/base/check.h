// CHECK(cond): aborts in every build when an invariant of ours is broken. Never for input, disk or
// network.
#pragma once

namespace eventhorn {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace eventhorn

#define CHECK(cond)                                                    \
  do {                                                                 \
    if (!(cond)) ::eventhorn::check_failed(#cond, __FILE__, __LINE__); \
  } while (false)
