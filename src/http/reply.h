// What a route's handler gives: its answer, or the refusal to answer in its place. Values, on any
// thread.
#pragma once

#include "base/result.h"
#include "http/message.h"

#include <tl/expected.hpp>

#include <utility>

namespace eventhorn::http {

/// The answer to a request that is refused. Both constructors are implicit, so that CO_TRY passes
/// on what a handler's step says.
class Refusal {
 public:
  // NOLINTBEGIN(google-explicit-constructor): for CO_TRY

  /// {"message": ...} with the status of the error's kind, and Retry-After 1 with 429 and 503.
  /// Details of kInternal and kCorruption go to the log only.
  Refusal(const Error& error);

  /// An answer in the words that clients of the call expect.
  Refusal(Response response) : answer(std::move(response)) {}

  // NOLINTEND(google-explicit-constructor)

  Response answer;
};

using Reply = tl::expected<Response, Refusal>;

}  // namespace eventhorn::http

namespace eventhorn {

/// For CO_TRY on what has a refusal in place of an error.
inline tl::unexpected<http::Refusal> fail(http::Refusal refusal) {
  return tl::unexpected<http::Refusal>(std::move(refusal));
}

}  // namespace eventhorn
