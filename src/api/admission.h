// Whether a request is served, decided from its head (reliability A11, A12): the route, the key,
// what narrows the call and is not understood, the limit on calls.
#pragma once

#include "api/services.h"
#include "http/router.h"

#include <chrono>
#include <mutex>
#include <optional>

namespace eventhorn::api {

/// Counts the account's calls in windows of a minute, each beginning with its first call.
/// Thread-safe.
class CallLimit {
 public:
  /// nullopt when another call may be made; otherwise how long the window lasts, at least 1 s.
  std::optional<std::chrono::seconds> take(SteadyTime now, unsigned max_calls);

 private:
  std::mutex mutex_;
  SteadyTime end_;      // guarded by mutex_
  unsigned calls_ = 0;  // guarded by mutex_
};

/// Thread-safe. Both arguments must outlive it.
class Admission {
 public:
  Admission(Services& services, const http::Router& router);

  /// The route's 404 or 405; 401 "Forbidden" without the Basic credentials `api:KEY` (spec: auth),
  /// and 429 from the 21st wrong ones of an address within a minute on, which right ones never get;
  /// what refuse() says of the key's role and domain; 403 for a call on behalf of a subaccount; 412 and 400 for conditions and the like, none of
  /// which is understood, on calls that change something; 429 over api.webhook_rate_limit.
  http::Verdict admit(const http::Request& head);

 private:
  Services& services_;
  const http::Router& router_;
  CallLimit webhook_calls_;
};

}  // namespace eventhorn::api
