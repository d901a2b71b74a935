// HTTP Basic credentials (RFC 7617), and the limit on failed attempts per address.
#pragma once

#include "base/time.h"

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace eventhorn::http {

struct Credentials {
  std::string user;
  std::string password;
};

/// The credentials in the value of an Authorization field. nullopt for another scheme, a value over
/// 1 KiB, broken base64, no colon, or control characters. The scheme compares without case; the
/// user ends at the first colon.
std::optional<Credentials> parse_basic(std::string_view authorization);

/// The value of an Authorization field: "Basic " and both in base64.
std::string basic_credentials(std::string_view user, std::string_view password);

/// Stops an address that keeps failing to authenticate. Counts failures in a window that starts
/// with the first one; at `max_failures` the address is refused until the window ends. Successes
/// change nothing. IPv6 addresses count by their /64. When `max_addresses` is reached the address
/// whose window is oldest is forgotten. Thread-safe.
class AuthLimiter {
 public:
  struct Options {
    unsigned max_failures = 20;
    std::chrono::seconds window{60};
    size_t max_addresses = 10'000;
  };

  /// `clock` must outlive the limiter.
  explicit AuthLimiter(const Clock& clock);
  AuthLimiter(const Clock& clock, Options options);

  /// nullopt when `address` may try; otherwise how long it must wait, at least 1 s (the value for
  /// Retry-After).
  std::optional<std::chrono::seconds> retry_after(std::string_view address) const;

  void record_failure(std::string_view address);

 private:
  struct Window {
    std::string key;
    SteadyTime end;
    unsigned failures = 0;
  };

  // Constant after construction
  const Clock& clock_;
  const Options options_;
  // Guarded by mutex_. The list is in the order of the windows' ends.
  mutable std::mutex mutex_;
  std::list<Window> windows_;
  std::unordered_map<std::string, std::list<Window>::iterator> by_key_;
};

}  // namespace eventhorn::http
