// The Retry-After field of a response (RFC 9110 section 10.2.3), as receivers really send it.
#pragma once

#include "base/time.h"

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

namespace eventhorn::webhook {

/// How long the receiver asks us to wait, between zero and `max` (reliability R16):
/// - delta-seconds of any length: clamped to `max`, so 1000000000000000000 is `max`. A fraction or
///   an exponent, which RFC 9110 does not have but receivers send, is read as meant and rounded up;
/// - an HTTP date in any of the three forms of RFC 9110 section 5.6.7: its distance from `now`,
///   clamped; a past date is zero;
/// - negative numbers and other text say nothing.
/// `values` are all Retry-After fields of the response: the longest counts, since whoever waits
/// that long has done what each of them asks. nullopt when none says anything.
std::optional<std::chrono::seconds> parse_retry_after(std::span<const std::string_view> values,
                                                      SystemTime now, std::chrono::seconds max);

}  // namespace eventhorn::webhook
