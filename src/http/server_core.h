// What all connections share, and what those of one core do. Internal to http/.
#pragma once

#include "async/task_group.h"
#include "base/metrics.h"
#include "http/body_memory.h"
#include "http/connection_table.h"
#include "http/origin.h"
#include "http/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <string>

namespace eventhorn::http {

/// What the cores share. Constant while connections run, except for the atomics.
struct ServerState {
  ServerState(ServerOptions o, Admit a);

  const ServerOptions options;
  const Admit admit;
  const SystemClock clock;
  std::unique_ptr<OriginPolicy> origin;  // set once the port is known
  std::atomic<bool> draining{false};
  std::atomic<size_t> connections{0};
  BodyMemory memory;
  ConnectionTable table;
  std::atomic<size_t> streams{0};
  std::array<metrics::Counter, 5> requests;  // by status class, 1xx first
  metrics::Histogram latency;
  metrics::Gauge connections_gauge;
  metrics::Gauge streams_gauge;
};

/// A connection as its core's sweep sees it.
class Connection {
 public:
  virtual ~Connection() = default;
  /// Closes the socket; the session then ends by itself.
  virtual void abort() = 0;
  /// Ends the stream that is being sent; the connection then says goodbye.
  virtual void end_stream() = 0;

  Deadline deadline = Deadline::max();
  bool idle = false;       // waits for the first byte of a request
  bool streaming = false;  // sends a streamed body
};

/// The connections of one core. Everything but the constructor runs there.
class ServerCore {
 public:
  ServerCore(ServerState& state, asio::io_context& context, size_t index);

  void start();
  /// Takes a connection that the acceptor has counted in ServerState. `overloaded`: answers it 503
  /// and closes.
  void adopt(asio::ip::tcp::socket socket, std::shared_ptr<ssl_ctx_st> tls, bool overloaded);
  /// Closes idle connections and ends streams.
  void close_idle();
  /// Ends when no connection is left and the sweep has stopped; at `deadline` the rest is
  /// cancelled.
  Task<void> drain(Deadline deadline);

  ServerState& state;
  asio::io_context& context;
  const size_t index;
  TaskGroup connections;
  TaskGroup service;
  std::list<Connection*> open;
  std::string date;  // value of Date, renewed by the sweep

 private:
  void renew_date();
  Task<void> sweep();
};

}  // namespace eventhorn::http
