// What a bin answers, and how its content is written.
#pragma once

#include "base/result.h"
#include "bin/bins.h"
#include "http/message.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace eventhorn::bin {

inline constexpr std::chrono::milliseconds kMaxDelay = std::chrono::seconds(30);

/// How a sender wants to be answered, so that retry logic can be tried out:
/// `?status=503&count=2&delay=2s`.
struct AnswerOptions {
  int status = 200;
  std::chrono::milliseconds delay{0};
  /// Only the first `count` requests to that path are treated so, later ones like any other; 0 is
  /// all of them.
  uint32_t count = 0;
};

/// The options of a query (without '?'); other parameters are ignored. kInvalidArgument names the
/// parameter and the rule: status 200 to 599; delay a duration or whole seconds, at most 30 s;
/// count a whole number up to 1000000.
Result<AnswerOptions> parse_answer_options(std::string_view query);

struct Answer {
  http::Response response;
  /// How long to wait before sending it.
  std::chrono::milliseconds delay{0};
};

/// The answer to the `repeat`th request to a path (what Bins::capture gave). 200 is Mailgun's own
/// {"message":"Post received. Thanks!"}. Always JSON or empty, nosniff, and sandboxed: a bin's
/// origin is also the dashboard's (design.md section 6; reliability A6).
Answer bin_answer(const AnswerOptions& options, uint32_t repeat);

/// Keeps the request in the bin, whether it came by HTTP or from our own deliveries, and answers as
/// its query asks. kNotFound "Bin not found"; kInvalidArgument as parse_answer_options, when the
/// request was kept all the same.
Result<Answer> take_request(Bins& bins, std::string_view id, Captured request);

/// {"items":[{"id":1,"time":"...","method":"POST","path":"/bin/...","remote_address":"...","headers":[["Name","value"]],
/// "body":"...","body_base64":"...","truncated":false}],"total":1}, newest last. `body` is text
/// with U+FFFD for what is not UTF-8; only then there is `body_base64`.
std::string listing_json(const Listing& listing);

}  // namespace eventhorn::bin
