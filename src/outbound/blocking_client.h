// A client for commands: one server, one request at a time, bodies read piece by piece. It blocks,
// and goes where it is told: neither the guard of deliveries nor their limits apply.
#pragma once

#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::outbound {

/// Where a command's requests go.
struct ServerAddress {
  bool tls = false;
  std::string host;  // an IPv6 address without brackets
  std::string port;
  std::string prefix;  // of all paths; without a slash at the end

  /// kInvalidArgument for everything but `http(s)://host[:port][/prefix]`.
  static Result<ServerAddress> parse(std::string_view url);
};

/// One thread at a time. A connection is kept from request to request.
class BlockingClient {
 public:
  /// `key` is sent as the password of HTTP Basic; the certificate of a server with TLS must be one
  /// that the machine trusts.
  BlockingClient(ServerAddress server, std::string key);
  ~BlockingClient();
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;

  struct Request {
    std::string method;
    std::string target;  // behind the prefix
    std::string content_type{};
    std::string_view body{};
  };

  struct Head {
    int status = 0;
    std::optional<unsigned> retry_after{};  // in seconds
  };

  /// Ends what was read of an earlier answer. kUnavailable when there is no server, or the
  /// connection breaks; `is_unreachable()` tells which.
  Result<Head> send(const Request& request);

  /// The next piece of the answer's body; nullopt at its end. kUnavailable when it is cut off.
  Result<std::optional<std::string>> read();

  /// All of it; kTooLarge beyond `max_bytes`.
  Result<std::string> read_all(size_t max_bytes);

  /// The last error was that there is no server to speak to.
  bool is_unreachable() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::outbound
