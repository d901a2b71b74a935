// What an attempt's result means for its event (spec: Mailgun, "Webhook delivery": 200 is success,
// 406 stops, anything else is retried; 410 is ours).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::webhook {

/// Why an attempt has no answer. Stored in attempt records: do not change the values.
enum class FailureKind : uint8_t {
  kNone = 0,       // the head of an answer was received
  kDns = 1,        // the host has no address
  kBlocked = 2,    // the address guard refused every address
  kConnect = 3,    // refused, unreachable, or not within the connect deadline
  kTls = 4,        // handshake or certificate
  kTimeout = 5,    // no head within the deadline
  kProtocol = 6,   // not HTTP/1.x, or malformed
  kClosed = 7,     // closed or reset before the head was whole
  kTooLarge = 8,   // head over its limits
  kCancelled = 9,  // ended by us: shutdown, or the lane is gone
  kProxy = 10,     // the egress proxy can't be reached, or refused to connect to the receiver
  kLocal = 11,     // this machine's fault, such as no file descriptor left: never held against the
                   // receiver
};

enum class Verdict : uint8_t {
  kSuccess,   // settled
  kRejected,  // settled: the receiver does not want this event (406)
  kGone,      // the endpoint is gone: stop, keep the backlog (410)
  kRetry,     // try again by the schedule
};

/// `delivery.success`: Mailgun's documentation names only 200; taking every 2xx is the default.
enum class SuccessRule : uint8_t { kAny2xx, kOnly200 };

/// How an attempt spent its time. What it did not come to, or a kept connection spared it, took no
/// time.
struct Phases {
  std::chrono::microseconds dns{};       // until the host had addresses
  std::chrono::microseconds connect{};   // until TCP, or the egress proxy, was through
  std::chrono::microseconds tls{};       // until the handshake was done
  std::chrono::microseconds exchange{};  // from the first byte of the request to the answer's end
  bool kept_connection = false;
  /// The answer came to its end; its head may be all of it that counts.
  bool whole_answer = false;
  friend bool operator==(const Phases&, const Phases&) = default;
};

struct AttemptResult {
  /// Of the final answer, whose head was received whole and has one status in it; 0 when there was
  /// none.
  int status = 0;
  FailureKind kind = FailureKind::kNone;
  /// One line for people, without credentials; empty on success, unless the answer was not sound
  /// HTTP.
  std::string error{};
  /// From Retry-After, already within bounds.
  std::optional<std::chrono::seconds> retry_after{};
  Phases phases{};
};

/// A status decides alone: what went wrong after the head (reset or deadline within the body) does
/// not undo it (reliability R3, R6). A cancelled attempt without status is kRetry; whether it
/// counts is for the caller.
Verdict classify(const AttemptResult& result, SuccessRule rule);

/// Lower-case names for metric labels, logs and our own API: "success", "rejected", "gone",
/// "retry".
std::string_view to_string(Verdict verdict);
/// "none", "dns", "blocked", "connect", "tls", "timeout", "protocol", "closed", "too_large",
/// "cancelled", "proxy", "local".
std::string_view to_string(FailureKind kind);

}  // namespace eventhorn::webhook
