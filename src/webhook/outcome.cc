#include "webhook/outcome.h"

#include "base/check.h"

namespace eventhorn::webhook {

Verdict classify(const AttemptResult& result, SuccessRule rule) {
  const int status = result.status;
  const bool success =
      rule == SuccessRule::kOnly200 ? status == 200 : status >= 200 && status <= 299;
  if (success) return Verdict::kSuccess;
  if (status == 406) return Verdict::kRejected;
  if (status == 410) return Verdict::kGone;
  return Verdict::kRetry;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kSuccess:
      return "success";
    case Verdict::kRejected:
      return "rejected";
    case Verdict::kGone:
      return "gone";
    case Verdict::kRetry:
      return "retry";
  }
  CHECK(false);
}

std::string_view to_string(FailureKind kind) {
  switch (kind) {
    case FailureKind::kNone:
      return "none";
    case FailureKind::kDns:
      return "dns";
    case FailureKind::kBlocked:
      return "blocked";
    case FailureKind::kConnect:
      return "connect";
    case FailureKind::kTls:
      return "tls";
    case FailureKind::kTimeout:
      return "timeout";
    case FailureKind::kProtocol:
      return "protocol";
    case FailureKind::kClosed:
      return "closed";
    case FailureKind::kTooLarge:
      return "too_large";
    case FailureKind::kCancelled:
      return "cancelled";
    case FailureKind::kProxy:
      return "proxy";
    case FailureKind::kLocal:
      return "local";
  }
  CHECK(false);
}

}  // namespace eventhorn::webhook
