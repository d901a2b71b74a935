// Our HTTP server: one port, plain or TLS, HTTP/1.0 and 1.1. One acceptor on core 0 deals the
// connections to the cores; a connection and its handler stay on their core. (A single acceptor is
// on purpose: with SO_REUSEPORT a second process could bind the same port unnoticed.)
//
// Order of use: construct, listen, serve, then at the end stop_accepting and drain, which must have
// returned before the Cores stop and before the Server is destroyed.
//
// A request is admitted at its head: Host and origin, then Admit (route, key, limits), then the
// route's limit on the body. Only then is the body read, and 100 Continue sent. Of a refused
// request a body of up to 64 KiB is read and dropped, and the connection goes on; with a larger
// one, or one that waits for 100 Continue, the answer is sent, our side is closed, and what still
// comes is read for a while, because a reset could take the answer along.
//
// A handler has until RequestContext::deadline for its answer; answer_timeout later the connection
// is closed. The request is whole and lives until the handler's task ends, which may move parts out
// of it. Handlers run on their connection's core.
//
// The server answers by itself, as {"message":"..."}: what RequestParser and OriginPolicy refuse;
// 503 for what has no room; 500 with a request id, which the log repeats, when the handler throws.
// Every response gets Content-Type, Content-Length, Date and X-Content-Type-Options: nosniff; HEAD
// gets the handler's headers without its body. No CORS field is ever added.
//
// A streamed response (Response::stream) has no Content-Length: chunked to HTTP/1.1 clients, ended
// by the close to others; the connection always closes after it, and what the client sends
// meanwhile is dropped. A stream ends when its source ends or throws (then without the last chunk),
// when the client closes or ends its side, when it does not read for stream_write_timeout, and at
// stop_accepting.
#pragma once

#include "async/cores.h"
#include "async/task.h"
#include "base/result.h"
#include "http/message.h"
#include "http/origin.h"
#include "http/router.h"
#include "http/tls_context.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::http {

/// Decides from a request's head, before any of its body is read, whether it is served and by which
/// route. The route lives as long as the server. Called on any core.
using Admit = std::function<Verdict(const Request& head)>;

struct ServerOptions {
  /// Where it listens, with port 0 on any free one, and under which names it answers. `tls` is set
  /// by the server.
  OriginOptions origin;

  size_t max_header_bytes = size_t{16} * 1024;           // request line and fields
  size_t max_body_bytes = size_t{25} * 1024 * 1024;      // as received
  size_t max_inflated_bytes = size_t{25} * 1024 * 1024;  // of a gzip body, decoded
  /// All bodies that are held at one time, with what reading them takes: see BodyMemory. A body
  /// that finds no room is not read on; after room_timeout the answer is 429.
  size_t max_buffered_bytes = size_t{256} * 1024 * 1024;
  std::chrono::milliseconds room_timeout{10'000};
  /// At the limit a connection that is of no use gives way (see ConnectionTable); when there is
  /// none the answer is 503.
  size_t max_connections = 10'000;

  // Checked by a sweep, so a connection may live one sweep_interval longer.
  std::chrono::milliseconds idle_timeout{75'000};  // before a request's first byte
  std::chrono::milliseconds header_timeout{
      10'000};  // from a request's first byte to its whole head; also the TLS handshake
  std::chrono::milliseconds request_timeout{
      60'000};                                      // from the whole head to the handler's deadline
  std::chrono::milliseconds answer_timeout{5'000};  // from there to the last byte of the response
  /// For the system to take one piece of a stream; request_timeout does not count for streams once
  /// their head was sent.
  std::chrono::milliseconds stream_write_timeout{10'000};
  std::chrono::milliseconds sweep_interval{250};

  size_t max_streams = 256;  // at one time; over it: 503

  std::shared_ptr<TlsContext> tls;  // null: plain
};

class Server {
 public:
  /// `cores` must outlive the server.
  Server(Cores& cores, ServerOptions options, Admit admit);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds; call once. The port, or kInvalidArgument (address) or kUnavailable (can't bind).
  /// Connections wait until serve().
  Result<uint16_t> listen();

  /// Begins to accept; call once, after listen().
  void serve();

  /// Closes the port and the connections that wait for a request, and ends streams; the others
  /// close after their current request. Any thread.
  void stop_accepting();

  /// stop_accepting, then blocks until every connection has ended; those left at `deadline` are
  /// cancelled with their handlers. Call from a thread that is none of the cores, while these run.
  void drain(Deadline deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eventhorn::http
