#include "crypto/hash.h"

#include "base/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

namespace eventhorn::crypto {
namespace {

constexpr size_t kBlockBytes = 64;

// Fetched once and never freed: EVP_sha256() would look the provider up at every use.
const EVP_MD* algorithm() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  CHECK(md != nullptr);
  return md;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// One working context for each thread saves an allocation per hash.
EVP_MD_CTX* working_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  CHECK(context != nullptr);
  return context.get();
}

void update(EVP_MD_CTX* context, std::string_view data) {
  CHECK(EVP_DigestUpdate(context, data.data(), data.size()) == 1);
}

Digest finish(EVP_MD_CTX* context) {
  Digest out{};
  CHECK(EVP_DigestFinal_ex(context, out.data(), nullptr) == 1);
  return out;
}

EVP_MD_CTX* padded_state(const std::array<uint8_t, kBlockBytes>& key, uint8_t pad) {
  std::array<uint8_t, kBlockBytes> block = key;
  for (uint8_t& byte : block) byte ^= pad;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  CHECK(context != nullptr && EVP_DigestInit_ex(context, algorithm(), nullptr) == 1);
  CHECK(EVP_DigestUpdate(context, block.data(), block.size()) == 1);
  OPENSSL_cleanse(block.data(), block.size());
  return context;
}

}  // namespace

Digest sha256(std::string_view data) {
  EVP_MD_CTX* context = working_context();
  CHECK(EVP_DigestInit_ex(context, algorithm(), nullptr) == 1);
  update(context, data);
  return finish(context);
}

Digest hmac_sha256(std::string_view key, std::string_view data) {
  return HmacKey(key).sign({data});
}

bool constant_time_equal(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void HmacKey::Free::operator()(void* context) const {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context));
}

HmacKey::HmacKey(std::string_view key) {
  std::array<uint8_t, kBlockBytes> padded{};
  if (key.size() > kBlockBytes) {
    Digest hashed = sha256(key);
    std::ranges::copy(hashed, padded.begin());
    OPENSSL_cleanse(hashed.data(), hashed.size());
  } else {
    std::ranges::copy(key, padded.begin());
  }
  inner_.reset(padded_state(padded, 0x36));
  outer_.reset(padded_state(padded, 0x5c));
  OPENSSL_cleanse(padded.data(), padded.size());
}

// For 60 bytes this takes 0.18 us; the deprecated SHA256_CTX would save 0.03, and HMAC() without a
// prepared key takes 1.1 (measured, OpenSSL 3.0 with SHA-NI).
Digest HmacKey::sign(std::initializer_list<std::string_view> pieces,
                     std::span<const std::string_view> more) const {
  EVP_MD_CTX* context = working_context();
  CHECK(EVP_MD_CTX_copy_ex(context, static_cast<const EVP_MD_CTX*>(inner_.get())) == 1);
  for (const std::string_view piece : pieces) update(context, piece);
  for (const std::string_view piece : more) update(context, piece);
  const Digest inner = finish(context);
  CHECK(EVP_MD_CTX_copy_ex(context, static_cast<const EVP_MD_CTX*>(outer_.get())) == 1);
  update(context, bytes_of(inner));
  return finish(context);
}

}  // namespace eventhorn::crypto
