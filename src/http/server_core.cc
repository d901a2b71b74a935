#include "http/server_core.h"

#include "async/timer.h"
#include "base/dates.h"
#include "base/log.h"
#include "http/session.h"

#include <utility>

namespace eventhorn::http {
namespace {

using asio::ip::tcp;

metrics::Counter request_counter(const char* status_class) {
  return metrics::counter("eventhorn_http_requests_total", "HTTP requests answered",
                          {{"status", status_class}});
}

// Ends the count that the acceptor began.
class Counted {
 public:
  explicit Counted(ServerState& state) : state_(state) { state_.connections_gauge.add(1); }

  ~Counted() {
    state_.connections_gauge.add(-1);
    --state_.connections;
  }

  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  ServerState& state_;
};

Task<void> serve_counted(ServerCore& core, tcp::socket socket, std::shared_ptr<ssl_ctx_st> tls,
                         bool overloaded) {
  const Counted counted(core.state);
  co_await serve(core, std::move(socket), std::move(tls), overloaded);
}

}  // namespace

ServerState::ServerState(ServerOptions o, Admit a)
    : options(std::move(o)),
      admit(std::move(a)),
      memory(options.max_buffered_bytes),
      requests{request_counter("1xx"), request_counter("2xx"), request_counter("3xx"),
               request_counter("4xx"), request_counter("5xx")},
      latency(metrics::histogram("eventhorn_http_request_seconds",
                                 "From the whole head to the written response",
                                 metrics::latency_buckets())),
      connections_gauge(metrics::gauge("eventhorn_http_connections", "Open HTTP connections")),
      streams_gauge(metrics::gauge("eventhorn_http_streams", "Streamed responses being sent")) {}

ServerCore::ServerCore(ServerState& s, asio::io_context& c, size_t i)
    : state(s),
      context(c),
      index(i),
      connections(c.get_executor(), s.clock),
      service(c.get_executor(), s.clock) {}

void ServerCore::start() {
  renew_date();
  service.spawn("http sweep", sweep());
}

void ServerCore::renew_date() {
  date = format_http_date(state.clock.now());
}

Task<void> ServerCore::sweep() {
  for (;;) {
    const auto next = state.clock.steady_now() + state.options.sweep_interval;
    co_await sleep_until(state.clock, next);
    renew_date();
    const auto now = state.clock.steady_now();
    for (auto* connection : open) {
      if (connection->deadline <= now) connection->abort();
    }
  }
}

void ServerCore::adopt(tcp::socket socket, std::shared_ptr<ssl_ctx_st> tls, bool overloaded) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  connections.spawn("http connection",
                    serve_counted(*this, std::move(socket), std::move(tls), overloaded));
}

void ServerCore::close_idle() {
  for (auto* connection : open) {
    if (connection->idle) connection->abort();
    if (connection->streaming) connection->end_stream();
  }
}

Task<void> ServerCore::drain(Deadline deadline) {
  const bool done = co_await connections.join(deadline);
  if (!done) {
    log_warn("http", "connections cancelled at shutdown count={}", connections.size());
    connections.cancel();
    co_await connections.join(Deadline::max());
  }
  service.cancel();
  co_await service.join(Deadline::max());
}

}  // namespace eventhorn::http
