#include "crypto/random.h"

#include "base/check.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

namespace eventhorn::crypto {

void fill_random(std::span<uint8_t> out) {
  CHECK(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1);
}

std::string random_bytes(size_t n) {
  std::string out(n, '\0');
  fill_random({reinterpret_cast<uint8_t*>(out.data()), out.size()});
  return out;
}

void RandomPool::take(std::span<uint8_t> out) {
  while (!out.empty()) {
    if (used_ == block_.size()) {
      source_(block_);
      used_ = 0;
    }
    const size_t n = std::min(out.size(), block_.size() - used_);
    std::memcpy(out.data(), block_.data() + used_, n);
    OPENSSL_cleanse(block_.data() + used_, n);
    used_ += n;
    out = out.subspan(n);
  }
}

std::string RandomPool::token_hex(size_t n) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(n, '\0');
  take({reinterpret_cast<uint8_t*>(out.data()), n});
  for (char& c : out) c = kDigits[static_cast<uint8_t>(c) & 15];
  return out;
}

double RandomPool::fraction() {
  std::array<uint8_t, sizeof(uint64_t)> bytes{};
  take(bytes);
  uint64_t bits = 0;
  std::memcpy(&bits, bytes.data(), sizeof bits);
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace eventhorn::crypto
