// Reading a receiver's answer: strictly, to a cap, and only what an outcome needs. Internal to
// outbound/.
#pragma once

#include "async/task.h"
#include "outbound/connection.h"
#include "webhook/outcome.h"

#include <chrono>
#include <cstddef>
#include <string>

namespace eventhorn::outbound {

struct ClientReply {
  webhook::AttemptResult result;
  std::string body;  // at most AnswerLimits::keep_body_bytes
  /// A kept connection turned out to be closed before any byte of an answer: nothing is known of
  /// the receiver. Worth another try on a fresh one (RFC 9110 section 9.2.2 allows it, since the
  /// event's id makes it idempotent), with a signature of its own.
  bool stale = false;
};

struct AnswerLimits {
  /// Of an answer's head, all fields together.
  size_t max_head_bytes = 16 * 1024;
  /// Of an answer's body; what comes beyond is not read and the connection is closed.
  size_t max_body_bytes = 16 * 1024;
  /// Of the body, kept in the reply.
  size_t keep_body_bytes = 1024;
  /// Longest time that a Retry-After may ask for.
  std::chrono::seconds max_retry_after{3600};
};

/// Reads one final answer, up to 16 interim (1xx) ones before it passed over, into `reply`. True
/// when the connection may serve another request: the answer is whole, it is to stay open, and not
/// a byte too many has come.
Task<bool> read_answer(ClientConnection& connection, const AnswerLimits& limits,
                       ClientReply& reply);

}  // namespace eventhorn::outbound
