// The body of a delivery: {"signature":{...},"event-data":<event>}. The event's bytes are never
// copied: they are sent between a prefix made for each attempt and a constant suffix.
#pragma once

#include "webhook/signature.h"

#include <string>
#include <string_view>

namespace eventhorn::webhook {

/// Goes before the event's bytes. `parent_signature` (sign_token with the primary account's key) is
/// left out when empty; only events of a subaccount have one.
std::string payload_prefix(const Signature& signature, std::string_view parent_signature = {});

/// Goes after the event's bytes.
inline constexpr std::string_view kPayloadSuffix = "}";

}  // namespace eventhorn::webhook
