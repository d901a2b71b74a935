// All chance of a simulated world comes from one seed.
#pragma once

#include "base/check.h"
#include "base/time.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace eventhorn::simulation {

/// splitmix64 (Steele, Lea, Flood 2014). The same seed gives the same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  /// In [0, bound); `bound` ≥ 1.
  uint64_t below(uint64_t bound) {
    CHECK(bound >= 1);
    return next() % bound;
  }

  /// In [low, high].
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }

  Micros between(Micros low, Micros high) {
    return low + Micros(below(static_cast<uint64_t>((high - low).count()) + 1));
  }

  /// True once in `n` times.
  bool once_in(uint64_t n) { return below(n) == 0; }

  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[below(from.size())];
  }

  /// Another stream of numbers: what is drawn from it does not change what comes from this one.
  Random fork() { return Random(next()); }

  void fill(std::span<uint8_t> out) {
    for (auto& byte : out) byte = static_cast<uint8_t>(next());
  }

 private:
  uint64_t state_;
};

}  // namespace eventhorn::simulation
