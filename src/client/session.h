// What the commands that speak to a server have in common: where it is, what an answer means for
// the exit code, when a call is made again, and how a command ends before its end.
#pragma once

#include "base/time.h"
#include "outbound/blocking_client.h"

#include <tl/expected.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace eventhorn::client {

/// Scripts rely on the values.
enum class Exit : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNoServer = 3,
  kRefused = 4,  // by the server, for what was asked
};

/// Why a command ends.
struct Failure {
  Exit code = Exit::kFailed;
  std::string message;
};

template <class T>
using Outcome = tl::expected<T, Failure>;

/// Options that all commands have.
struct ServerOptions {
  std::string url = "http://127.0.0.1:8480";
  std::string key;
};

class Session {
 public:
  explicit Session(ServerOptions options) : options_(std::move(options)) {}

  /// kUsage for a URL that is none, and without a key.
  Outcome<void> open();

  struct Reply {
    int status = 0;
    std::string body;
  };

  /// The answer to a call that does no harm when it is made twice. It is made again while the
  /// server says that it has no room (429, 503), for minutes, and after a break of the connection;
  /// not where there was no server from the beginning.
  Outcome<Reply> call(const outbound::BlockingClient::Request& request);

  /// Begins the same: the body is the caller's to read, from client().
  Outcome<int> begin(const outbound::BlockingClient::Request& request);

  outbound::BlockingClient& client() { return *client_; }

  /// For an answer that is not 200.
  static Failure refused(const Reply& reply);

 private:
  void pause(std::chrono::milliseconds time);

  const ServerOptions options_;
  std::unique_ptr<outbound::BlockingClient> client_;
  bool reached_ = false;  // there was an answer
};

/// Of a path or a query.
std::string percent_encode(std::string_view text);

/// From now on SIGINT and SIGTERM end the process with kFailed: they print `words`, a line, and
/// remove the file `unfinished`, where it is not empty. A closed pipe is an error of the write.
void end_when_interrupted(std::string_view words, std::string_view unfinished = {});

/// A line on a terminal that is written anew, once in a while.
class ProgressLine {
 public:
  /// Shows nothing where stderr is no terminal.
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// `text` makes the line, when it is time for it.
  void show(const std::function<std::string()>& text);

  /// The terminal is as it was.
  void clear();

 private:
  const bool wanted_;
  const SystemClock clock_;
  SteadyTime next_{};
  bool shown_ = false;
};

/// Prints "eventhorn: <message>" and gives the code.
int end_with(const Failure& failure);

}  // namespace eventhorn::client
