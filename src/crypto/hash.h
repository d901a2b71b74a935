// SHA-256, HMAC-SHA256 and comparison of secrets. Outside http/, only crypto/ touches OpenSSL.
// Everything here is thread-safe; a failure of OpenSSL itself (out of memory, no SHA-256) aborts,
// since nothing can be signed without it.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

namespace eventhorn::crypto {

using Digest = std::array<uint8_t, 32>;

/// The digest's bytes, for to_hex and keys of rows. Valid as long as `digest`.
inline std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Digest sha256(std::string_view data);

/// HMAC-SHA256 (RFC 2104) for a key used once; HmacKey for a key used often.
Digest hmac_sha256(std::string_view key, std::string_view data);

/// True when both are the same bytes. The time taken tells only whether the lengths differ
/// (reliability A1).
bool constant_time_equal(std::string_view a, std::string_view b);

/// An HMAC-SHA256 key with its inner and outer hash states prepared, so that a signature costs two
/// SHA-256 blocks and no set-up: 0.2 us for 60 bytes. Any key length, empty included. The key is
/// wiped when the object dies.
class HmacKey {
 public:
  explicit HmacKey(std::string_view key);

  /// Of the pieces one after the other and then of `more`, without separator and without joining
  /// them in memory.
  Digest sign(std::initializer_list<std::string_view> pieces,
              std::span<const std::string_view> more = {}) const;

 private:
  struct Free {
    void operator()(void* context) const;
  };

  // EVP_MD_CTX, constant after construction: signing copies them into a context of the calling
  // thread.
  std::unique_ptr<void, Free> inner_;
  std::unique_ptr<void, Free> outer_;
};

}  // namespace eventhorn::crypto
