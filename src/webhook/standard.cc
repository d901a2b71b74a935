#include "webhook/standard.h"

#include "base/strings.h"
#include "crypto/random.h"

#include <chrono>

namespace eventhorn::webhook {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";
constexpr size_t kMadeKeyBytes = 32;
constexpr size_t kMinKeyBytes = 24;
constexpr size_t kMaxKeyBytes = 64;

bool stays_in_id(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '~';
}

std::string encoded_id(std::string_view id) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(id.size());
  for (const char c : id) {
    if (stays_in_id(c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

}  // namespace

std::string make_standard_secret() {
  return std::string(kSecretPrefix) + base64_encode(crypto::random_bytes(kMadeKeyBytes));
}

Result<StandardSecret> parse_standard_secret(std::string_view text) {
  if (!text.starts_with(kSecretPrefix))
    return fail(Errc::kInvalidArgument, "secret: must begin with whsec_");
  const auto bytes = base64_decode(text.substr(kSecretPrefix.size()));
  if (!bytes) return fail(Errc::kInvalidArgument, "secret: must be base64 after whsec_");
  if (bytes->size() < kMinKeyBytes || bytes->size() > kMaxKeyBytes)
    return fail(Errc::kInvalidArgument, "secret: must be of 24 to 64 bytes");
  return StandardSecret{crypto::HmacKey(*bytes)};
}

std::string standard_head(std::span<const StandardSecret> secrets, std::string_view id,
                          SystemTime now, std::span<const std::string_view> body_pieces) {
  if (secrets.empty()) return {};
  const std::string safe_id = encoded_id(id);
  const std::string seconds =
      std::to_string(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
  std::string out;
  out.reserve(256 + safe_id.size());
  out.append("webhook-id: ").append(safe_id);
  out.append("\r\nwebhook-timestamp: ").append(seconds);
  out.append("\r\nwebhook-signature:");
  for (const auto& secret : secrets) {
    const auto digest = secret.key.sign({safe_id, ".", seconds, "."}, body_pieces);
    out.append(" v1,").append(base64_encode(crypto::bytes_of(digest)));
  }
  out.append("\r\n");
  return out;
}

}  // namespace eventhorn::webhook
