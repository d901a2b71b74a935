// The inner loop of every reader here: to the next byte of a string that needs attention.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace eventhorn::json {

/// The first quote, backslash or byte below 0x20 in [p, end), or `end`.
inline const char* find_special(const char* p, const char* end) {
  static_assert(std::endian::native == std::endian::little, "the lowest set bit is the first byte");
  constexpr uint64_t kOnes = 0x0101010101010101U;
  constexpr uint64_t kHigh = 0x8080808080808080U;
  // The high bit of each zero byte; a borrow may also mark bytes above a zero, never below it.
  const auto zeros = [](uint64_t x) { return (x - kOnes) & ~x; };
  while (end - p >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, p, 8);
    const uint64_t marks = (zeros(word ^ (kOnes * '"')) | zeros(word ^ (kOnes * '\\')) |
                            ((word - kOnes * 0x20) & ~word)) &
                           kHigh;
    if (marks != 0) return p + (std::countr_zero(marks) >> 3);
    p += 8;
  }
  while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
  return p;
}

}  // namespace eventhorn::json
