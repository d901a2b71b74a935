// Standard Webhooks (https://www.standardwebhooks.com, specification 1.0.0, "Webhook metadata" and
// "Signature scheme", symmetric v1), sent beside Mailgun's signature where a URL asks for it.
// Unlike that one it covers the body. Pure; thread-safe.
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "crypto/hash.h"

#include <span>
#include <string>
#include <string_view>

namespace eventhorn::webhook {

/// A key that signs. The text it came from is not kept.
struct StandardSecret {
  crypto::HmacKey key;
};

/// A fresh secret for a receiver: "whsec_" and 32 random bytes in base64.
std::string make_standard_secret();

/// kInvalidArgument when `text` is not "whsec_" and the base64 of 24 to 64 bytes. The error repeats
/// nothing of it.
Result<StandardSecret> parse_standard_secret(std::string_view text);

/// The lines of a request's head, each ended by CRLF:
///
///     webhook-id: <id>
///     webhook-timestamp: <seconds since 1970>
///     webhook-signature: v1,<base64> v1,<base64>
///
/// or nothing without secrets. There is a signature for each, in their order, of
/// "<id>.<timestamp>.<body>"; `body_pieces` are the body, one after the other. `id` comes from
/// outside: what is not a letter, digit, '-', '_' or
/// '~' is percent-encoded, '.' and '%' too, so that the lines stay three, the signed text can be
/// read in one way only, and different ids stay different (reliability S11). Ids that Mailgun makes
/// and ours stay as they are.
std::string standard_head(std::span<const StandardSecret> secrets, std::string_view id,
                          SystemTime now, std::span<const std::string_view> body_pieces);

}  // namespace eventhorn::webhook
