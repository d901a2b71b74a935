#include "api/sealed_token.h"

#include "base/strings.h"

#include <utility>

namespace eventhorn::api {
namespace {

constexpr size_t kMacBytes = 16;
// More than any list puts into one; a request's head has 16 KiB.
constexpr size_t kMaxTokenBytes = 8192;
constexpr std::string_view kLabel = "page token";

std::string sign(std::string_view payload, DomainUid domain, const crypto::HmacKey& key) {
  std::string uid;
  put_number(uid, domain.value, 8);
  const auto digest = key.sign({kLabel, uid, payload});
  return std::string(crypto::bytes_of(digest).substr(0, kMacBytes));
}

}  // namespace

void put_list(std::string& out, TokenList list) {
  put_number(out, static_cast<uint64_t>(list), 1);
}

void put_number(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(value >> (8 * i)));
}

void put_text(std::string& out, std::string_view text, size_t length_bytes) {
  put_number(out, text.size(), length_bytes);
  out += text;
}

uint64_t TokenReader::number(size_t bytes) {
  uint64_t value = 0;
  for (const char c : text_of(bytes)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string_view TokenReader::text_of(size_t bytes) {
  if (bytes > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const auto out = rest_.substr(0, bytes);
  rest_.remove_prefix(bytes);
  return out;
}

tl::unexpected<Error> refused_token() {
  return fail(Errc::kInvalidArgument, "Invalid page token");
}

std::string seal_token(std::string bytes, DomainUid domain, const crypto::HmacKey& key) {
  const auto mac = sign(bytes, domain, key);
  return base64url_encode(bytes + mac);
}

Result<std::string> open_token(std::string_view token, DomainUid domain,
                               const crypto::HmacKey& key) {
  if (token.size() > kMaxTokenBytes) return refused_token();
  auto bytes = base64url_decode(token);
  if (!bytes || bytes->size() < kMacBytes) return refused_token();
  const auto payload = std::string_view(*bytes).substr(0, bytes->size() - kMacBytes);
  const auto mac = std::string_view(*bytes).substr(payload.size());
  if (!crypto::constant_time_equal(mac, sign(payload, domain, key))) return refused_token();
  bytes->resize(payload.size());
  return *std::move(bytes);
}

}  // namespace eventhorn::api
