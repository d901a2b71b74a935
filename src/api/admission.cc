#include "api/admission.h"

#include "api/permission.h"
#include "base/strings.h"

#include <string>
#include <string_view>

namespace eventhorn::api {
namespace {

using CallerPtr = std::shared_ptr<const http::Caller>;

constexpr std::chrono::seconds kWindow{60};

http::Response forbidden() {
  auto out = http::text_response(401, "Forbidden");
  out.fields.set("WWW-Authenticate", "Basic realm=\"MG API\"");
  out.fields.set("Cache-Control", "no-store");
  return out;
}

// A right key never waits for the wrong ones that came from the same address, because that may be
// a proxy's. What the limit slows is guessing, and keys that we make have 192 bits.
tl::expected<CallerPtr, http::Response> authenticate(Services& services,
                                                     const http::Request& head) {
  const auto credentials = http::parse_basic(head.fields.get("Authorization"));
  if (!credentials) return tl::unexpected(forbidden());
  if (credentials->user == "api") {
    if (auto caller = services.api_keys.find(credentials->password)) return caller;
  }
  if (const auto wait = services.limiter.retry_after(head.remote_address)) {
    auto out = http::message_response(429, "too many failed authentications from this address");
    out.fields.set("Retry-After", std::to_string(wait->count()));
    return tl::unexpected(std::move(out));
  }
  services.limiter.record_failure(head.remote_address);
  return tl::unexpected(forbidden());
}

/// Fields that would narrow what a call does, or make it another one. None of them is understood,
/// so the call would do more than its client wants (reliability A13).
struct Narrowing {
  std::string_view name;
  int status;
  bool reading_too;  // also where nothing is changed
  std::string_view message;
};

constexpr Narrowing kNarrowing[] = {
    // There are no subaccounts: the call would reach the account itself.
    {"X-Mailgun-On-Behalf-Of", 403, true, "Subaccount not found"},
    {"If-Match", 412, false, "If-Match: there are no entity tags"},
    {"If-None-Match", 412, false, "If-None-Match: there are no entity tags"},
    {"If-Unmodified-Since", 412, false, "If-Unmodified-Since: is not known here"},
    {"Content-Range", 400, false, "Content-Range: only whole bodies are taken"},
    {"X-HTTP-Method-Override", 400, false, "X-HTTP-Method-Override: is not known here"},
    {"X-HTTP-Method", 400, false, "X-HTTP-Method: is not known here"},
    {"X-Method-Override", 400, false, "X-Method-Override: is not known here"},
};

const Narrowing* find_narrowing(const http::Request& head) {
  const bool reads = head.method == "GET" || head.method == "HEAD";
  for (const auto& [name, value] : head.fields.all()) {
    for (const auto& known : kNarrowing) {
      if ((!reads || known.reading_too) && equals_ignore_case(name, known.name)) return &known;
    }
  }
  return nullptr;
}

// Mailgun gives no `message` here (spec: webhooks, "Too fast").
http::Response too_fast(std::chrono::seconds wait) {
  auto out = http::json_response(429, R"({"retry-seconds":60})");
  out.fields.set("Retry-After", std::to_string(wait.count()));
  return out;
}

}  // namespace

std::optional<std::chrono::seconds> CallLimit::take(SteadyTime now, unsigned max_calls) {
  const std::lock_guard lock(mutex_);
  if (now >= end_) {
    end_ = now + kWindow;
    calls_ = 0;
  }
  if (calls_ >= max_calls) return std::chrono::ceil<std::chrono::seconds>(end_ - now);
  ++calls_;
  return std::nullopt;
}

Admission::Admission(Services& services, const http::Router& router)
    : services_(services), router_(router) {}

http::Verdict Admission::admit(const http::Request& head) {
  auto verdict = router_.admit(head);
  if (!verdict) return verdict;
  const auto access = verdict->route->access;
  if (access != http::Access::kAnyone) {
    auto caller = authenticate(services_, head);
    if (!caller) return tl::unexpected(std::move(caller).error());
    verdict->answer_fields.add("X-Mailgun-Key-Id", (*caller)->key_id);
    verdict->caller = *std::move(caller);
    if (auto refusal = refuse(*verdict->caller, *verdict->route, head.method, verdict->params))
      return tl::unexpected(*std::move(refusal));
  }
  const auto* narrowing = find_narrowing(head);
  if (narrowing != nullptr && (access != http::Access::kAnyone || narrowing->reading_too))
    return tl::unexpected(http::message_response(narrowing->status, narrowing->message));
  const unsigned max_calls = services_.options.webhook_rate_limit;
  if (access == http::Access::kKeyWithinLimit && max_calls > 0) {
    if (const auto wait = webhook_calls_.take(services_.clock.steady_now(), max_calls))
      return tl::unexpected(too_fast(*wait));
  }
  return verdict;
}

}  // namespace eventhorn::api
