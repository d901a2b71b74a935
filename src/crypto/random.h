// Unpredictable bytes, from OpenSSL's generator. A generator that fails aborts: no token may be
// guessable. A simulation gives a RandomPool a source of its own, so that a run can be repeated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>

namespace eventhorn::crypto {

/// `n` bytes; for keys and ids made now and then. Thread-safe.
std::string random_bytes(size_t n);

/// Fills the whole of `out`.
using RandomSource = std::function<void(std::span<uint8_t> out)>;

/// The source that is used where no other is given. Thread-safe.
void fill_random(std::span<uint8_t> out);

/// The same bytes fetched a block at a time, for tokens made at every delivery. What was handed out
/// is wiped from the pool. Not thread-safe: one for each core.
class RandomPool {
 public:
  explicit RandomPool(RandomSource source = fill_random) : source_(std::move(source)) {}

  RandomPool(const RandomPool&) = delete;
  RandomPool& operator=(const RandomPool&) = delete;

  /// `n` lower-case hexadecimal digits: 4 bits of chance each.
  std::string token_hex(size_t n);

  /// In [0, 1), for jitter.
  double fraction();

 private:
  void take(std::span<uint8_t> out);

  const RandomSource source_;
  std::array<uint8_t, 1024> block_{};
  size_t used_ = 1024;
};

}  // namespace eventhorn::crypto
