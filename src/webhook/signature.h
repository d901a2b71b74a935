// What proves to a receiver that a delivery is ours (spec: Mailgun, "Securing webhooks"):
// HMAC-SHA256 under the HTTP webhook signing key of timestamp and token, joined without separator.
// The body is not covered.
#pragma once

#include "base/time.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::webhook {

/// The keys that sign now; a value that never changes.
struct SigningKeys {
  std::shared_ptr<const crypto::HmacKey> current;
  /// While keys are rotated: what receivers that do not know the new one yet verify with. May be
  /// null.
  std::shared_ptr<const crypto::HmacKey> previous;
};

inline constexpr size_t kTokenDigits = 50;

struct Signature {
  std::string timestamp;  // decimal seconds; a JSON string on the wire
  std::string token;      // 50 lower-case hexadecimal digits, never used before
  std::string signature;  // 64 lower-case hexadecimal digits
};

/// A signature for one attempt. Every attempt gets its own: receivers refuse repeated tokens and
/// old timestamps.
Signature make_signature(const crypto::HmacKey& key, SystemTime now, crypto::RandomPool& pool);

/// The 64 hexadecimal digits alone: a second key signs the same timestamp and token, as
/// `parent-signature` or while keys are rotated.
std::string sign_token(const crypto::HmacKey& key, std::string_view timestamp,
                       std::string_view token);

/// "Eventhorn-Previous-Signature: <hex>\r\n", the same timestamp and token under the previous key
/// (reliability A3); empty while there is none. A line of the request's head: the body is as
/// Mailgun's.
std::string previous_signature_head(const SigningKeys& keys, const Signature& signature);

}  // namespace eventhorn::webhook
