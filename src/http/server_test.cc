// What the server does with good requests: keep-alive, pipelining, bodies, HEAD, errors of
// handlers, TLS, shutdown.
#include "http/server.h"

#include "base/metrics.h"
#include "http/gzip_test_data.h"
#include "http/server_test_support.h"
#include "http/tls_files_test_support.h"

#include <gtest/gtest.h>

#include <list>
#include <thread>

namespace eventhorn::http {
namespace {

using namespace std::chrono_literals;
using testing::RawClient;
using testing::request;
using testing::TestServer;
using testing::TlsFiles;

bool has_field(const testing::Reply& reply, const std::string& field) {
  return reply.head.find("\r\n" + field + "\r\n") != std::string::npos;
}

TEST(Server, AnswersOnOneConnectionAgainAndAgain) {
  const TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    const auto reply = client.ask(request("POST /a?n=" + std::to_string(i), "", "body"));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "POST /a?n=" + std::to_string(i) + "\n127.0.0.1\nhttp://localhost\nbody");
    EXPECT_TRUE(has_field(reply, "X-Content-Type-Options: nosniff"));
    EXPECT_TRUE(has_field(reply, "Content-Type: text/plain; charset=utf-8"));
    EXPECT_EQ(reply.head.find("Access-Control"), std::string::npos);
  }
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  const TestServer server;
  RawClient client(server.port());
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += request("POST /" + std::to_string(i), "", std::string(i + 1, 'x'));
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    const auto reply = client.read_reply();
    EXPECT_EQ(reply.body.find("POST /" + std::to_string(i) + "\n"), 0U) << reply.body;
    EXPECT_TRUE(reply.body.ends_with("\n" + std::string(i + 1, 'x')));
  }
}

TEST(Server, ServesManyConnectionsAtATime) {
  const TestServer server;
  std::list<RawClient> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(server.port());
  for (auto& client : clients) client.send(request("GET /a"));
  for (auto& client : clients) EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_GE(metrics::gauge("eventhorn_http_connections", "").value(), 20);
}

TEST(Server, ClosesWhenAsked) {
  const TestServer server;
  RawClient client(server.port());
  const auto reply = client.ask(request("GET /a", "Connection: close\r\n"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(has_field(reply, "Connection: close"));
  EXPECT_TRUE(client.closed());
}

TEST(Server, SpeaksHttp10) {
  const TestServer server;
  RawClient client(server.port());
  const auto reply = client.ask("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_EQ(reply.body,
            "GET /a\n127.0.0.1\nhttp://127.0.0.1:" + std::to_string(server.port()) + "\n");
  EXPECT_TRUE(client.closed());
}

TEST(Server, AnswersAClientThatHasStoppedSending) {
  const TestServer server;
  RawClient client(server.port());
  client.send(request("GET /a"));
  client.end_sending();
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_TRUE(client.closed());
}

TEST(Server, HeadHasTheLengthButNoBody) {
  const TestServer server;
  RawClient client(server.port());
  const auto reply = client.ask(request("HEAD /big?1234"), false);
  EXPECT_TRUE(has_field(reply, "Content-Length: 1234"));
  EXPECT_EQ(client.ask(request("GET /a")).body.find("GET /a\n"), 0U);  // no body in between
}

TEST(Server, StatusesWithoutABody) {
  const TestServer server;
  RawClient client(server.port());
  for (const char* status : {"204", "304"}) {
    const auto reply = client.ask(request("GET /status?" + std::string(status)));
    EXPECT_EQ(std::to_string(reply.status), status);
    EXPECT_EQ(reply.head.find("Content-Length"), std::string::npos);
  }
  EXPECT_EQ(client.ask(request("GET /a")).body.find("GET /a\n"), 0U);
}

TEST(Server, BigBodiesBothWays) {
  const TestServer server;
  RawClient client(server.port());
  const std::string body(3'000'000, 'u');
  const auto up = client.ask(request("PUT /a", "", body));
  EXPECT_TRUE(up.body.ends_with("\n" + body));
  EXPECT_EQ(client.ask(request("GET /big?5000000")).body, std::string(5'000'000, 'b'));
}

TEST(Server, ChunkedAndGzipBodies) {
  const TestServer server;
  RawClient client(server.port());
  auto reply = client.ask(request("POST /a", "Transfer-Encoding: chunked\r\n") +
                          "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(reply.body.ends_with("\nabcde"));
  reply = client.ask(request("POST /a", "Content-Encoding: gzip\r\n", testing::gzip("unpacked")));
  EXPECT_TRUE(reply.body.ends_with("\nunpacked"));
}

TEST(Server, SaysContinueBeforeTheBody) {
  const TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.ask(request("POST /a", "Expect: 100-Continue\r\nContent-Length: 4\r\n")).status,
            100);
  EXPECT_TRUE(client.ask("body").body.ends_with("\nbody"));
  // Not when the body is here already, nor when there is none.
  EXPECT_EQ(client.ask(request("POST /a", "Expect: 100-continue\r\n", "body")).status, 200);
  EXPECT_EQ(client.ask(request("GET /a", "Expect: 100-continue\r\n")).status, 200);
}

TEST(Server, HandlersThatThrowGive500WithARequestId) {
  const TestServer server;
  RawClient client(server.port());
  for (const char* path :
       {"GET /throw", "GET /status?100", "GET /status?600", "GET /status?nonsense"}) {
    const auto reply = client.ask(request(path));
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body.find("{\"message\":\"internal error, request id "), 0U) << reply.body;
    EXPECT_EQ(reply.body.find("secret"), std::string::npos);
  }
  EXPECT_EQ(client.ask(request("GET /a")).status, 200);
}

TEST(Server, CountsRequestsByStatusClass) {
  const TestServer server;
  auto count = metrics::counter("eventhorn_http_requests_total", "", {{"status", "5xx"}});
  const double before = count.value();
  RawClient client(server.port());
  client.ask(request("GET /throw"));
  client.ask(request("GET /a"));  // the first one is counted by now
  EXPECT_EQ(count.value(), before + 1);
}

TEST(Server, TakesTheClientsAddressFromTrustedProxies) {
  ServerOptions options;
  options.origin.trusted_proxy = [](std::string_view ip) { return ip == "127.0.0.1"; };
  options.origin.public_url = "https://hooks.example.com";
  const TestServer server(options);
  RawClient client(server.port());
  EXPECT_EQ(client.ask(request("GET /a", "X-Forwarded-For: 203.0.113.5\r\n")).body,
            "GET /a\n203.0.113.5\nhttps://hooks.example.com\n");
}

ServerOptions with_tls(const TlsFiles& files) {
  static const SystemClock clock;
  ServerOptions options;
  options.tls = *TlsContext::load(files.cert(), files.key(), clock);
  return options;
}

TEST(ServerTls, AnswersAndCloses) {
  const TlsFiles files(7);
  const TestServer server(with_tls(files));
  RawClient client(server.port());
  ASSERT_TRUE(client.start_tls());
  EXPECT_EQ(client.serial(), 7);
  const std::string body(1'000'000, 'u');
  EXPECT_EQ(client.ask(request("PUT /a", "", body)).body,
            "PUT /a\n127.0.0.1\nhttps://localhost\n" + body);
  EXPECT_EQ(client.ask(request("GET /a", "Connection: close\r\n")).status, 200);
  EXPECT_TRUE(client.closed());
}

TEST(ServerTls, RefusesOldVersionsAndPlainHttp) {
  const TlsFiles files(7);
  const TestServer server(with_tls(files));
  RawClient old(server.port());
  EXPECT_FALSE(old.start_tls(TLS1_1_VERSION));
  RawClient plain(server.port());
  EXPECT_EQ(plain.ask(request("GET /a")).status, 0);
  RawClient good(server.port());
  EXPECT_TRUE(good.start_tls(TLS1_2_VERSION));
}

TEST(ServerShutdown, ClosesIdleConnectionsAndFinishesRequests) {
  TestServer server;
  {
    RawClient idle(server.port());
    EXPECT_EQ(idle.ask(request("GET /a")).status, 200);
    RawClient fresh(server.port());
    RawClient busy(server.port());
    busy.send(request("GET /gate") + request("GET /never"));
    server.wait_until_inside();
    server.server().stop_accepting();
    EXPECT_TRUE(idle.closed());
    EXPECT_TRUE(fresh.closed());
    server.open_gate();
    const auto reply = busy.read_reply();
    EXPECT_EQ(reply.body, "through");
    EXPECT_TRUE(has_field(reply, "Connection: close"));
    EXPECT_TRUE(busy.closed());
  }
  server.server().drain(Deadline::max());
  EXPECT_FALSE(RawClient(server.port()).connected());
}

TEST(ServerShutdown, CancelsWhatIsLeftAtTheDeadline) {
  TestServer server;
  RawClient client(server.port());
  client.send(request("GET /forever"));
  server.wait_until_inside();
  server.server().drain(std::chrono::steady_clock::now() + 20ms);
  EXPECT_TRUE(client.closed());
}

TEST(ServerListen, SaysWhyItCannot) {
  const TestServer server;
  Cores cores(1);
  ServerOptions options;
  options.origin.listen_port = server.port();
  const auto taken = Server(cores, options, {}).listen();
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Errc::kUnavailable);
  EXPECT_NE(taken.error().message.find("port " + std::to_string(server.port())), std::string::npos);
  options.origin.listen_address = "nonsense";
  EXPECT_EQ(Server(cores, options, {}).listen().error().code, Errc::kInvalidArgument);
}

// Only a reset says that nobody reads the answer: who ends its side may still do so.
TEST(Server, HandlersSeeThatTheirClientIsGone) {
  TestServer server;
  RawClient client(server.port());
  client.send(request("GET /until-gone"));
  server.wait_until_inside();
  client.end_sending();
  const int before = server.asked();
  while (server.asked() < before + 20) std::this_thread::yield();
  client.reset();
  server.wait_until_gone();
}

}  // namespace
}  // namespace eventhorn::http
