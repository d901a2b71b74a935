// A server on a free port of 127.0.0.1 with routes for tests.
#pragma once

#include "async/pool.h"
#include "async/timer.h"
#include "http/raw_client_test_support.h"
#include "http/router.h"
#include "http/server.h"

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>

namespace eventhorn::http::testing {

class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, size_t cores = 2) : cores_(cores) {
    const auto row = [this](const char* pattern,
                            Task<http::Reply> (TestServer::*answer)(RequestContext&),
                            BodyLimit limit = kAnyBody) {
      return Route{"*", pattern, Access::kAnyone, limit,
                   [this, answer](RequestContext& context) { return (this->*answer)(context); }};
    };
    router_.add({row("/*rest", &TestServer::echo), row("/throw", &TestServer::fail),
                 row("/status", &TestServer::status), row("/big", &TestServer::big),
                 row("/gate", &TestServer::gate), row("/forever", &TestServer::forever),
                 row("/stream", &TestServer::stream), row("/until-gone", &TestServer::until_gone),
                 row("/ten", &TestServer::echo, BodyLimit{10}),
                 row("/first-ten", &TestServer::echo, BodyLimit{10, true})});
    options.sweep_interval = std::chrono::milliseconds(5);
    server_.emplace(cores_, std::move(options),
                    [this](const Request& head) { return admit(head); });
    const auto port = server_->listen();
    if (!port) throw std::runtime_error(port.error().message);
    port_ = *port;
    server_->serve();
    cores_.start();
  }

  ~TestServer() {
    if (gate_shut_) gate_.set_value();
    server_->drain(Deadline::max());
  }

  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  uint16_t port() const { return port_; }

  Server& server() { return *server_; }

  /// Makes the body of /stream. Set before the first request.
  std::function<BodySource()> make_stream;
  /// As Response::must_end of it.
  bool must_end = false;

  /// Ends when a request has come to /gate or /forever.
  void wait_until_inside() { inside_.get_future().wait(); }

  /// How many requests have come to /forever.
  int forever_count() const { return forever_; }

  /// Ends when the handler of /until-gone has seen that its client is.
  void wait_until_gone() { gone_.get_future().wait(); }

  /// How often it has looked.
  int asked() const { return asked_; }

  /// Lets the request at /gate go on.
  void open_gate() {
    gate_shut_ = false;
    gate_.set_value();
  }

 private:
  Verdict admit(const Request& head) const {
    if (head.path == "/refused") return tl::unexpected(text_response(401, "Forbidden"));
    auto verdict = router_.admit(head);
    if (verdict && head.fields.has("Authorization")) verdict->caller = caller_;
    return verdict;
  }

  // What the server made of the request, a line each.
  Task<http::Reply> echo(RequestContext& context) {
    const auto& request = context.request;
    co_return text_response(200, request.method + " " + request.target + "\n" +
                                     request.remote_address + "\n" + request.base + "\n" +
                                     request.body + (request.truncated ? "..." : ""));
  }

  Task<http::Reply> fail(RequestContext&) { throw std::runtime_error("secret detail"); }

  // The status that the query says.
  Task<http::Reply> status(RequestContext& context) {
    Response response;
    response.status = std::stoi(context.request.query);
    response.body = "body";
    co_return response;
  }

  // As many bytes as the query says.
  Task<http::Reply> big(RequestContext& context) {
    co_return text_response(200, std::string(std::stoul(context.request.query), 'b'));
  }

  Task<http::Reply> gate(RequestContext&) {
    inside_.set_value();
    auto wait = [this] { gate_.get_future().wait(); };
    co_await run_blocking(pool_, wait);
    co_return text_response(200, "through");
  }

  Task<http::Reply> until_gone(RequestContext& context) {
    inside_.set_value();
    while (!context.client_gone()) {
      asked_.fetch_add(1);
      co_await sleep_until(clock_, clock_.steady_now() + std::chrono::milliseconds(1));
    }
    gone_.set_value();
    co_return Response();
  }

  Task<http::Reply> forever(RequestContext&) {
    if (forever_.fetch_add(1) == 0) inside_.set_value();
    co_await sleep_until(clock_, Deadline::max());
    co_return Response();
  }

  Task<http::Reply> stream(RequestContext&) {
    auto response = text_response(200, "not sent");
    response.stream = make_stream();
    response.must_end = must_end;
    co_return response;
  }

  const SystemClock clock_;
  // Of all requests that have an Authorization, whatever that is.
  const std::shared_ptr<const Caller> caller_ = std::make_shared<Caller>();
  std::promise<void> inside_;
  std::atomic<int> forever_{0};
  std::promise<void> gone_;
  std::atomic<int> asked_{0};
  std::promise<void> gate_;
  bool gate_shut_ = true;
  Router router_;
  Cores cores_;
  std::optional<Server> server_;
  uint16_t port_ = 0;
  Pool pool_{"pool", 1};  // comes back to the cores: joined before they go
};

/// "METHOD target HTTP/1.1" with Host, the fields given (each with CR LF) and the body.
inline std::string request(const std::string& line, const std::string& fields = "",
                           const std::string& body = "") {
  return line + " HTTP/1.1\r\nHost: localhost\r\n" + fields +
         (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
         body;
}

}  // namespace eventhorn::http::testing
