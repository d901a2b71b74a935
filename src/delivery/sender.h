// The seam between the engine and the network. Implemented over outbound::Client (http_sender.h)
// and by fakes in tests.
#pragma once

#include "async/task.h"
#include "store/model.h"
#include "webhook/outcome.h"

#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::delivery {

struct SendReply {
  webhook::AttemptResult result;
  /// First KiB of the answer's body, as it came.
  std::string response;
  /// It went out on a kept connection that the receiver had closed: to be sent again on a fresh
  /// one.
  bool stale = false;
};

/// What one attempt sends. The pieces must outlive the call.
struct Message {
  /// Lines of the request's head beyond the usual ones, "name: value\r\n" each.
  std::string_view head;
  // The body is these three, joined.
  std::string_view prefix;
  std::string_view event;
  std::string_view suffix;
  bool fresh_connection = false;
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

  /// `settings` gives custom fields and the client certificate.
  virtual std::shared_ptr<Target> open(const std::string& url,
                                       const store::EndpointSettings& settings) = 0;

  /// One POST. Suspends at least once, ends by the deadline, never throws.
  virtual Task<SendReply> post(Target& target, Message message, Deadline deadline) = 0;
};

}  // namespace eventhorn::delivery
