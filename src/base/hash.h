// A fast 64-bit hash of bytes whose values never change: they are kept on disk (id rows, order
// keys). Not for secrets.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace eventhorn {

inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed = 0) {
  const auto mix = [](uint64_t a, uint64_t b) {
    const auto product =
        static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15U) * (b ^ 0xe7037ed1a0b428dbU);
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t h = mix(seed, bytes.size());
  while (bytes.size() >= 16) {
    uint64_t a = 0;
    uint64_t b = 0;
    std::memcpy(&a, bytes.data(), 8);
    std::memcpy(&b, bytes.data() + 8, 8);
    h = mix(h ^ a, b);
    bytes.remove_prefix(16);
  }
  uint64_t tail[2] = {0, 0};
  std::memcpy(tail, bytes.data(), bytes.size());
  return mix(h ^ tail[0], tail[1] ^ 0xa0761d6478bd642fU);
}

}  // namespace eventhorn
