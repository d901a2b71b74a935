// An e-mail event as every module sees it: the few fields the platform needs, and the bytes both
// doors send. Pure values; thread-safe as such.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace eventhorn::event {

/// The names Mailgun's Events API knows (spec/event-types.md). Values are stored on disk: do not
/// change them.
enum class Name : uint8_t {
  kAccepted = 1,
  kRejected = 2,
  kDelivered = 3,
  kFailed = 4,
  kOpened = 5,
  kClicked = 6,
  kUnsubscribed = 7,
  kComplained = 8,
  kStored = 9,
  kListMemberUploaded = 10,
  kListMemberUploadError = 11,
  kListUploaded = 12,
};

/// Only `failed` events have one. Values are stored on disk: do not change them.
enum class Severity : uint8_t { kNone = 0, kTemporary = 1, kPermanent = 2 };

/// "delivered", "list_member_uploaded", ...
std::string_view to_string(Name name);
/// Exact, lower case; nullopt for anything else.
std::optional<Name> parse_name(std::string_view text);
/// All names, in the order of their values.
std::span<const std::string_view> names();
std::string_view to_string(Severity severity);  // "", "temporary", "permanent"
std::optional<Severity> parse_severity(std::string_view text);
/// temporary and permanent.
std::span<const std::string_view> severities();

inline constexpr size_t kMaxIdBytes = 128;

struct Event {
  /// Unique within its domain, 1 to 128 bytes of printable ASCII: the idempotency key.
  std::string id;
  /// Microseconds since the epoch; not a whole second, not even rounded to four decimals (Symfony's
  /// parser needs a fraction, PHP keeps 14 digits).
  int64_t timestamp_us = 0;
  Name name = Name::kAccepted;
  Severity severity = Severity::kNone;
  /// Hash of (message-id, recipient), for ordering first attempts; 0 when the event has neither.
  uint64_t order_key = 0;
  /// Normalised JSON object: minified UTF-8. Both doors send exactly these bytes.
  std::string bytes;
};

}  // namespace eventhorn::event
