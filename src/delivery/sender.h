// The seam between the engine and the network. Implemented over http::Client (http_sender.h) and by
// fakes in tests.
#pragma once

#include "async/task.h"
#include "webhook/outcome.h"

#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::delivery {

struct SendReply {
  webhook::AttemptResult result;
  /// First KiB of the answer's body, as it came.
  std::string response;
};

/// Lives on one core.
class Sender {
 public:
  /// What is kept between the attempts to one URL: its parsed form, its connections.
  class Target {
   public:
    virtual ~Target() = default;
  };

  virtual ~Sender() = default;

  virtual std::shared_ptr<Target> open(const std::string& url) = 0;

  /// One POST of prefix + event + suffix. Suspends at least once, ends by the deadline, never
  /// throws. The pieces must outlive the call.
  virtual Task<SendReply> post(Target& target, std::string_view prefix, std::string_view event,
                               std::string_view suffix, Deadline deadline) = 0;
};

}  // namespace eventhorn::delivery
