#include "webhook/signature.h"

#include "base/strings.h"

namespace eventhorn::webhook {

Signature make_signature(const crypto::HmacKey& key, SystemTime now, crypto::RandomPool& pool) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  Signature out{std::to_string(seconds), pool.token_hex(kTokenDigits), {}};
  out.signature = sign_token(key, out.timestamp, out.token);
  return out;
}

std::string sign_token(const crypto::HmacKey& key, std::string_view timestamp,
                       std::string_view token) {
  return to_hex(crypto::bytes_of(key.sign({timestamp, token})));
}

std::string previous_signature_head(const SigningKeys& keys, const Signature& signature) {
  if (!keys.previous) return {};
  return "Eventhorn-Previous-Signature: " +
         sign_token(*keys.previous, signature.timestamp, signature.token) + "\r\n";
}

}  // namespace eventhorn::webhook
