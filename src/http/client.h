// The client that makes deliveries: HTTP/1.1 POSTs over pooled keep-alive connections, plain or
// TLS. Only vetted addresses are dialled, redirects are never followed, answers are read to a cap
// and never decompressed.
//
// A Client lives on one core: everything here is called on its io_context.
#pragma once

#include "async/task.h"
#include "base/result.h"
#include "http/address.h"
#include "webhook/outcome.h"
#include "webhook/url.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::http {

struct ClientOptions {
  std::chrono::milliseconds connect_timeout{5000};
  /// Of an answer's head, all fields together.
  size_t max_head_bytes = 16 * 1024;
  /// Of an answer's body; what comes beyond is not read and the connection is closed.
  size_t max_body_bytes = 16 * 1024;
  /// Of the body, kept in the reply.
  size_t keep_body_bytes = 1024;
  std::chrono::seconds idle_timeout{30};
  size_t max_idle_per_target = 64;
  std::string user_agent = "mailgun/eventhorn";
  /// The port our own server listens on, once it does; our own addresses are refused there,
  /// whatever the guard allows (deliveries to our request bins never come here).
  std::shared_ptr<std::atomic<uint16_t>> own_port = std::make_shared<std::atomic<uint16_t>>(0);
  /// Longest time that a Retry-After may ask for.
  std::chrono::seconds max_retry_after{3600};
};

struct ClientReply {
  webhook::AttemptResult result;
  std::string body;  // at most keep_body_bytes
};

class Client {
 public:
  class Target;

  /// `blocking`: the pool for host look-ups.
  Client(asio::any_io_executor executor, asio::thread_pool& blocking, AddressGuard guard,
         ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// What is kept between requests to one URL. Must not outlive the client.
  std::shared_ptr<Target> open(const webhook::TargetUrl& url);

  /// POSTs the pieces, joined, as `application/json`. Never throws; whatever goes wrong is in the
  /// result. When a kept connection turns out to be closed before any byte of an answer, the
  /// request is sent once more on a fresh one (RFC 9110 section 9.2.2 allows it by our knowledge
  /// that the event id makes it idempotent).
  Task<ClientReply> post(Target& target, std::span<const std::string_view> body, Deadline deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::http
