#include "http/reply.h"

#include "base/log.h"

namespace eventhorn::http {
namespace {

int status_of(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument:
      return 400;
    case Errc::kUnauthenticated:
      return 401;
    case Errc::kForbidden:
      return 403;
    case Errc::kNotFound:
      return 404;
    case Errc::kConflict:
      return 409;
    case Errc::kTooLarge:
      return 413;
    case Errc::kRateLimited:
      return 429;
    case Errc::kTimeout:
    case Errc::kCancelled:
    case Errc::kUnavailable:
      return 503;
    case Errc::kCorruption:
    case Errc::kInternal:
      return 500;
  }
  return 500;
}

Response answer_of(const Error& error) {
  const int status = status_of(error.code);
  if (status == 500) {
    log_error("api", "internal error error={}", error.message);
    return message_response(500, "internal error");
  }
  auto out = message_response(status, error.message);
  if (status == 429 || status == 503) out.fields.set("Retry-After", "1");
  return out;
}

}  // namespace

Refusal::Refusal(const Error& error) : answer(answer_of(error)) {}

}  // namespace eventhorn::http
