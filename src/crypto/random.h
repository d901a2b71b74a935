// Unpredictable bytes, from OpenSSL's generator. A generator that fails aborts: no token may be
// guessable.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace eventhorn::crypto {

/// `n` bytes; for keys and ids made now and then. Thread-safe.
std::string random_bytes(size_t n);

/// The same bytes fetched a block at a time, for tokens made at every delivery. What was handed out
/// is wiped from the pool. Not thread-safe: one for each core.
class RandomPool {
 public:
  RandomPool() = default;
  RandomPool(const RandomPool&) = delete;
  RandomPool& operator=(const RandomPool&) = delete;

  /// `n` lower-case hexadecimal digits: 4 bits of chance each.
  std::string token_hex(size_t n);

  /// In [0, 1), for jitter.
  double fraction();

 private:
  void take(std::span<uint8_t> out);

  std::array<uint8_t, 1024> block_{};
  size_t used_ = 1024;
};

}  // namespace eventhorn::crypto
