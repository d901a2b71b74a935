// Seeded e-mail events in the shape and the proportions of real traffic, for the benchmarks. Event
// `index` depends on (seed, domain, start, index) and on nothing else, so that producers can make
// any part of a stream, in any order, and reports can name an event again. Pure values after
// construction; thread-safe as such.
#pragma once

#include "base/time.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

inline constexpr uint64_t kRecipients = 1'000'000;
inline constexpr size_t kSubjects = 200;
inline constexpr size_t kUserAgents = 50;
/// 16 random bytes as base64url, as Mailgun's ids look.
inline constexpr size_t kIdBytes = 22;
inline constexpr const char* kDomain = "bench.example";
/// Every event of kDomain is between these sizes, both included: 0.8 and 1.6 KiB.
inline constexpr size_t kMinEventBytes = 820;
inline constexpr size_t kMaxEventBytes = 1638;
/// Event n happened about n times this after the start (up to two seconds out of order).
inline constexpr Micros kSpacing{50};

/// The events that fire a webhook. There is no hook for rejected, stored and list_*; they are left
/// out, so that one event is one POST.
enum class Kind {
  kAccepted,
  kDelivered,
  kOpened,
  kClicked,
  kTemporaryFail,
  kPermanentFail,
  kUnsubscribed,
  kComplained
};

struct Share {
  Kind kind;
  std::string_view event;  // the name in the object; both failures are "failed"
  unsigned per_mille;
};

/// How often each kind occurs: a sender with both newsletters and transactional mail. In the order
/// of Kind; the shares add up to 1000.
inline constexpr std::array<Share, 8> kMix = {{{Kind::kAccepted, "accepted", 400},
                                               {Kind::kDelivered, "delivered", 382},
                                               {Kind::kOpened, "opened", 150},
                                               {Kind::kClicked, "clicked", 35},
                                               {Kind::kTemporaryFail, "failed", 18},
                                               {Kind::kPermanentFail, "failed", 10},
                                               {Kind::kUnsubscribed, "unsubscribed", 3},
                                               {Kind::kComplained, "complained", 2}}};

/// splitmix64: the same numbers on every machine, which std's distributions do not promise.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next();

  /// 0 .. bound - 1; `bound` above 0 and far below 2^64 (the bias is bound / 2^64).
  uint64_t below(uint64_t bound) { return next() % bound; }

 private:
  uint64_t state_;
};

/// How the times of a stream go on.
struct Pace {
  Micros spacing = kSpacing;
  /// So many of 1000 events happened up to `late_by` before their place in the stream.
  unsigned late_per_mille = 0;
  Micros late_by{1};
};

class Generator {
 public:
  /// `start`: when event 0 happened. The server refuses times more than events.max_ahead ahead and
  /// does not push those older than its retention.
  Generator(uint64_t seed, SystemTime start, std::string domain, Pace pace = {});

  /// Appends event `index` as one minified JSON object without a newline, as a mail server sends it
  /// to ingest: without `account` and `domain`, which ingest sets. The id is random per (seed,
  /// index), and so is the message-id.
  void append_event(uint64_t index, std::string& out) const;

  /// The id that append_event gives to event `index`.
  std::string event_id(uint64_t index) const;

 private:
  Micros lateness(uint64_t index) const;

  const uint64_t seed_;
  const int64_t start_us_;
  const std::string domain_;
  const Pace pace_;
  const std::vector<std::string> subjects_;
  /// A `client-info` object for each user agent.
  const std::vector<std::string> client_infos_;
};

}  // namespace eventhorn::bench
