// What the server does to bad, slow and numerous clients.
#include "base/metrics.h"
#include "http/bad_requests_test_data.h"
#include "http/gzip_test_data.h"
#include "http/server_test_support.h"
#include "http/tls_files_test_support.h"

#include <gtest/gtest.h>

#include <list>
#include <malloc.h>
#include <thread>

// Where a sanitizer brings its own allocator.
extern "C" __attribute__((weak)) size_t __sanitizer_get_current_allocated_bytes();

namespace eventhorn::http {
namespace {

using namespace std::chrono_literals;
using testing::gzip;
using testing::RawClient;
using testing::request;
using testing::TestServer;

const std::string kWithKey = "Authorization: any\r\n";

// A7: each is answered once and then closed, so that what follows is never taken for a request.
TEST(ServerLimits, RefusesSmuggledRequests) {
  const TestServer server;
  for (const auto& bad : testing::bad_requests()) {
    RawClient client(server.port());
    const auto reply = client.ask(bad.bytes + request("GET /smuggled"));
    EXPECT_EQ(reply.status, bad.status) << bad.what;
    EXPECT_EQ(reply.body.find("{\"message\":\""), 0U) << bad.what;
    EXPECT_NE(reply.head.find("\r\nContent-Type: application/json; charset=utf-8\r\n"),
              std::string::npos);
    EXPECT_NE(reply.head.find("\r\nConnection: close\r\n"), std::string::npos) << bad.what;
    EXPECT_TRUE(client.closed()) << bad.what;
  }
}

TEST(ServerLimits, HeadersOverTheLimitGive431) {
  const TestServer server;
  RawClient fields(server.port());
  EXPECT_EQ(fields.ask(request("GET /a", "X-Fill: " + std::string(17'000, 'x') + "\r\n")).status,
            431);
  EXPECT_TRUE(fields.closed());
  RawClient target(server.port());
  EXPECT_EQ(target.ask(request("GET /" + std::string(17'000, 'x'))).status, 431);
  EXPECT_TRUE(target.closed());
}

TEST(ServerLimits, BodiesOverTheLimitGive413WithoutContinue) {
  ServerOptions options;
  options.max_body_bytes = 10;
  const TestServer server(options);
  RawClient sized(server.port());
  EXPECT_EQ(sized.ask(request("POST /a", "Expect: 100-continue\r\nContent-Length: 11\r\n")).status,
            413);
  EXPECT_TRUE(sized.closed());
  RawClient chunked(server.port());
  EXPECT_EQ(chunked.ask(request("POST /a", "Transfer-Encoding: chunked\r\n") + "b\r\nhello").status,
            413);
  EXPECT_TRUE(chunked.closed());
}

// The whole upload comes although nobody reads it; the answer must not be lost in a reset.
TEST(ServerLimits, TheRefusalOfABigUploadArrives) {
  ServerOptions options;
  options.max_body_bytes = 10;
  const TestServer server(options);
  RawClient client(server.port());
  EXPECT_EQ(client.ask(request("POST /a", "", std::string(4'000'000, 'x'))).status, 413);
  EXPECT_TRUE(client.closed());
}

TEST(ServerLimits, TheRefusalOfABigUploadArrivesOverTls) {
  const testing::TlsFiles files(1);
  ServerOptions options;
  const SystemClock clock;
  options.tls = *TlsContext::load(files.cert(), files.key(), clock);
  const TestServer server(options);
  RawClient client(server.port());
  ASSERT_TRUE(client.start_tls());
  EXPECT_EQ(client.ask(request("POST /refused", "", std::string(4'000'000, 'x'))).status, 401);
}

TEST(ServerLimits, RoutesHaveTheirLimits) {
  const TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.ask(request("POST /ten", "", "0123456789")).status, 200);
  EXPECT_EQ(client.ask(request("POST /ten", "", "0123456789a")).status, 413);
  EXPECT_EQ(client.ask(request("POST /a", "", "0123456789a")).status, 200);
}

// A11: nothing of the body is waited for, and the connection goes on where that is cheap.
TEST(ServerLimits, RefusalsComeBeforeTheBody) {
  const TestServer server;
  RawClient asks(server.port());
  EXPECT_EQ(
      asks.ask(request("POST /refused", "Expect: 100-continue\r\nContent-Length: 9\r\n")).status,
      401);
  EXPECT_TRUE(asks.closed());
  RawClient large(server.port());
  EXPECT_EQ(large.ask(request("POST /refused", "Content-Length: 1000000\r\n")).status, 401);
  RawClient small(server.port());
  EXPECT_EQ(small.ask(request("POST /refused", "", std::string(65'536, 'x'))).status, 401);
  EXPECT_EQ(
      small
          .ask(request("POST /refused", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n0\r\n\r\n")
          .status,
      401);
  EXPECT_EQ(small.ask(request("GET /a")).status, 200);
  RawClient endless(server.port());
  EXPECT_EQ(
      endless.ask(request("POST /refused", "Transfer-Encoding: chunked\r\n") + "10001\r\n").status,
      401);
  EXPECT_TRUE(endless.closed());
}

TEST(ServerLimits, WhatARouteCutsOffIsReadAndDropped) {
  const TestServer server;
  RawClient client(server.port());
  const auto body = [&](const std::string& fields, const std::string& sent) {
    const auto reply = client.ask(request("POST /first-ten", fields, sent));
    EXPECT_EQ(reply.status, 200);
    return reply.body.substr(reply.body.rfind('\n') + 1);
  };
  EXPECT_EQ(body("", "0123456789"), "0123456789");
  EXPECT_EQ(body("", "0123456789" + std::string(1'000'000, 'x')), "0123456789...");
  EXPECT_EQ(body("Content-Encoding: gzip\r\n", gzip("0123456789")), "0123456789");
  EXPECT_EQ(body("Content-Encoding: gzip\r\n", gzip("0123456789" + std::string(1'000'000, 'x'))),
            "0123456789...");
  EXPECT_EQ(client.ask(request("POST /first-ten", "Content-Length: 99999999\r\n")).status, 413);
}

// A8
TEST(ServerLimits, GzipBombsGive413AndDamage400) {
  ServerOptions options;
  options.max_inflated_bytes = 1'000'000;
  const TestServer server(options);
  const auto post = [&](const std::string& body) {
    RawClient client(server.port());
    const auto reply = client.ask(request("POST /a", "Content-Encoding: gzip\r\n", body));
    EXPECT_TRUE(client.closed());
    return reply.status;
  };
  EXPECT_EQ(post(gzip(std::string(size_t{50} << 20, '\0'))), 413);
  EXPECT_EQ(post("not gzip at all"), 400);
  RawClient other(server.port());
  EXPECT_EQ(other.ask(request("POST /a", "Content-Encoding: br\r\n", "x")).status, 415);
}

// A11
TEST(ServerLimits, ABodyThatFindsNoRoomIsRefusedAfterAWhile) {
  ServerOptions options;
  options.max_buffered_bytes = 400'000;
  options.room_timeout = 1ms;
  const TestServer server(options);
  RawClient client(server.port());
  const auto reply = client.ask(request("POST /a", "", std::string(300'000, 'x')));
  EXPECT_EQ(reply.status, 429);
  EXPECT_NE(reply.head.find("\r\nRetry-After: 10\r\n"), std::string::npos);
  EXPECT_TRUE(client.closed());
  // What a request held is given back.
  RawClient again(server.port());
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(again.ask(request("POST /a", "", std::string(16'000, 'x'))).status, 200);
}

TEST(ServerLimits, ABodyWaitsForRoom) {
  ServerOptions options;
  options.max_buffered_bytes = 400'000;
  options.room_timeout = 1h;
  const TestServer server(options);
  std::optional<RawClient> holder(server.port());
  const std::string fields = "Content-Length: 60000\r\n";
  EXPECT_EQ(holder->ask(request("POST /a", "Expect: 100-continue\r\n" + fields)).status, 100);
  RawClient waits(server.port());
  waits.send(request("POST /a", fields) + std::string(60'000, 'x'));
  holder.reset();
  EXPECT_EQ(waits.read_reply().status, 200);
}

// A11
TEST(ServerLimits, ABodyThatWaitsForRoomEndsWithItsClient) {
  ServerOptions options;
  options.max_buffered_bytes = 400'000;
  options.room_timeout = 1h;
  const TestServer server(options, 1);
  const auto connections = metrics::gauge("eventhorn_http_connections", "");
  const double before = connections.value();
  RawClient holder(server.port());
  const std::string fields = "Content-Length: 60000\r\n";
  EXPECT_EQ(holder.ask(request("POST /a", "Expect: 100-continue\r\n" + fields)).status, 100);
  RawClient waits(server.port());
  EXPECT_EQ(waits.ask(request("GET /a")).status, 200);
  waits.send(request("POST /a", fields) + "x");
  RawClient other(server.port());
  EXPECT_EQ(other.ask(request("GET /a")).status, 200);  // so the body is waited for by now
  waits.reset();
  while (connections.value() > before + 2) std::this_thread::yield();
}

TEST(ServerLimits, HostsAndOriginsAreChecked) {
  const TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.ask("GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  EXPECT_EQ(client.ask(request("POST /a", "Origin: https://evil.example\r\n")).status, 403);
  EXPECT_EQ(client.ask(request("POST /a")).status, 200);  // the connection is still good
  EXPECT_EQ(client.ask(request("POST /a", "Origin: null\r\n", "body")).status, 403);
  EXPECT_EQ(client.ask(request("POST /a")).status, 200);  // also with a body that was dropped
}

// A11
TEST(ServerLimits, AtTheLimitTheLongestIdleConnectionGivesWay) {
  ServerOptions options;
  options.max_connections = 2;
  const TestServer server(options);
  RawClient first(server.port());
  EXPECT_EQ(first.ask(request("GET /a")).status, 200);
  RawClient second(server.port());
  EXPECT_EQ(second.ask(request("GET /a")).status, 200);
  RawClient third(server.port());
  EXPECT_EQ(third.ask(request("GET /a")).status, 200);
  EXPECT_TRUE(first.closed());
  EXPECT_EQ(second.ask(request("GET /a")).status, 200);
}

// A11
TEST(ServerLimits, AtTheLimitAStrangerThatDoesNotReadItsAnswerGivesWay) {
  ServerOptions options;
  options.max_connections = 1;
  const TestServer server(options);
  RawClient stranger(server.port());
  stranger.send(request("GET /big?50000000"));
  ASSERT_TRUE(stranger.readable());
  RawClient second(server.port());
  EXPECT_EQ(second.ask(request("GET /a", kWithKey)).status, 200);
}

// A11
TEST(ServerLimits, RequestsWithoutAKeyMakeAConnectionNoYounger) {
  ServerOptions options;
  options.max_connections = 2;
  const TestServer server(options);
  RawClient first(server.port());
  EXPECT_EQ(first.ask(request("GET /a")).status, 200);
  RawClient second(server.port());
  EXPECT_EQ(second.ask(request("GET /a")).status, 200);
  EXPECT_EQ(first.ask(request("GET /refused")).status, 401);
  EXPECT_EQ(first.ask(request("GET /a")).status, 200);
  RawClient third(server.port());
  EXPECT_EQ(third.ask(request("GET /a")).status, 200);
  EXPECT_TRUE(first.closed());
  EXPECT_EQ(second.ask(request("GET /a")).status, 200);
}

// A11
TEST(ServerLimits, AtTheLimitABodyThatWaitsForRoomGivesWay) {
  ServerOptions options;
  options.max_connections = 2;
  options.max_buffered_bytes = 400'000;
  options.room_timeout = 1h;
  const TestServer server(options, 1);
  const auto connections = metrics::gauge("eventhorn_http_connections", "");
  const double before = connections.value();
  RawClient holder(server.port());
  const std::string fields = "Content-Length: 60000\r\n";
  const auto invited =
      holder.ask(request("POST /a", kWithKey + "Expect: 100-continue\r\n" + fields));
  EXPECT_EQ(invited.status, 100);
  RawClient waits(server.port());
  EXPECT_EQ(waits.ask(request("GET /a")).status, 200);
  waits.send(request("POST /a", fields) + "x");
  RawClient third(server.port());
  EXPECT_EQ(third.ask(request("GET /a", kWithKey)).status, 200);
  EXPECT_TRUE(waits.closed());
  while (connections.value() > before + 2) std::this_thread::yield();
}

TEST(ServerLimits, WhenAllConnectionsAreOfUseTheAnswerIs503) {
  ServerOptions options;
  options.max_connections = 1;
  TestServer server(options);
  RawClient busy(server.port());
  busy.send(request("GET /gate", kWithKey));
  server.wait_until_inside();
  RawClient second(server.port());
  EXPECT_EQ(second.ask(request("GET /a")).status, 503);
  EXPECT_TRUE(second.closed());
  server.open_gate();
  EXPECT_EQ(busy.read_reply().status, 200);
}

// A11
TEST(ServerLimits, WhoIsToldThatThereIsNoRoomCannotStayByTrickling) {
  ServerOptions options;
  options.max_connections = 1;
  options.request_timeout = 1h;
  TestServer server(options);
  const auto connections = metrics::gauge("eventhorn_http_connections", "");
  const double before = connections.value();
  RawClient busy(server.port());
  busy.send(request("GET /gate", kWithKey));
  server.wait_until_inside();
  RawClient second(server.port());
  EXPECT_EQ(second.ask(request("GET /a")).status, 503);
  while (connections.value() > before + 1) {
    second.send("x");
    std::this_thread::yield();
  }
}

// A11: handlers may go on for connections that were closed, and these count until they end.
TEST(ServerLimits, AtTheLimitOfExtrasIdleConnectionsGiveWayToo) {
  ServerOptions options;
  options.max_connections = 1;
  TestServer server(options, 1);
  std::list<RawClient> clients;
  for (int n = 0; n < 128; ++n) {
    auto& client = clients.emplace_back(server.port());
    ASSERT_EQ(client.ask(request("GET /a")).status, 200);
    client.send(request("GET /forever"));
    while (server.forever_count() == n) std::this_thread::yield();
  }
  RawClient idle(server.port());
  EXPECT_EQ(idle.ask(request("GET /a")).status, 200);
  RawClient late(server.port());
  EXPECT_EQ(late.ask(request("GET /a")).status, 503);
  EXPECT_TRUE(idle.closed());
  server.server().drain(std::chrono::steady_clock::now());
}

// Of this process, the server among it.
size_t allocated_bytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr)
    return __sanitizer_get_current_allocated_bytes();
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// A11: each connection holds at most 32 KiB more once it was answered.
TEST(ServerLimits, BodiesAreForgottenOnceTheyAreAnswered) {
  const std::string begin = request("POST /status?200", "Transfer-Encoding: chunked\r\n");
  const std::string chunk = "186a0\r\n" + std::string(100'000, 'x') + "\r\n";
  const std::string cut_off = "0\r\n\r\nGET /a HT";
  const std::string malformed = "no number\r\n";
  for (const auto& end : {cut_off, malformed}) {
    const TestServer server({}, 1);
    std::list<RawClient> clients;
    for (int n = 0; n < 50; ++n)
      EXPECT_EQ(clients.emplace_back(server.port()).ask(request("GET /a")).status, 200);
    const size_t before = allocated_bytes();
    for (auto& client : clients)
      EXPECT_EQ(client.ask(begin + chunk + end).status, end == cut_off ? 200 : 400);
    RawClient last(server.port());
    EXPECT_EQ(last.ask(request("GET /a")).status, 200);  // by now the others are as they stay
    EXPECT_LT(allocated_bytes(), before + clients.size() * 32 * 1024) << end;
  }
}

ServerOptions patient() {
  ServerOptions options;
  options.header_timeout = options.idle_timeout = options.request_timeout = 1h;
  return options;
}

TEST(ServerTimeouts, SlowHeadersAreCut) {
  auto options = patient();
  options.header_timeout = 30ms;
  const TestServer server(options);
  RawClient slow(server.port());
  slow.send("GET / HTTP/1.1\r\nHost: loc");
  EXPECT_TRUE(slow.closed());
  RawClient second(server.port());  // also in a later request
  EXPECT_EQ(second.ask(request("GET /a") + "GET /b").status, 200);
  EXPECT_TRUE(second.closed());
}

TEST(ServerTimeouts, ConnectionsThatSayNothingAreClosed) {
  auto options = patient();
  options.idle_timeout = 30ms;
  const TestServer server(options);
  RawClient silent(server.port());
  EXPECT_TRUE(silent.closed());
}

TEST(ServerTimeouts, IdleConnectionsAreClosed) {
  auto options = patient();
  options.idle_timeout = 30ms;
  const TestServer server(options);
  RawClient client(server.port());
  EXPECT_EQ(client.ask(request("GET /a")).status, 200);
  EXPECT_TRUE(client.closed());
}

TEST(ServerTimeouts, SlowBodiesAreCut) {
  auto options = patient();
  options.request_timeout = 30ms;
  const TestServer server(options);
  RawClient client(server.port());
  client.send(request("POST /a", "Content-Length: 10\r\n") + "slow");
  EXPECT_TRUE(client.closed());
}

TEST(ServerTimeouts, HandlersThatOverrunAreCut) {
  auto options = patient();
  options.request_timeout = 20ms;
  options.answer_timeout = 10ms;
  TestServer server(options);
  RawClient client(server.port());
  client.send(request("GET /gate"));
  EXPECT_TRUE(client.closed());
}

TEST(ServerTimeouts, SlowReadersAreCut) {
  auto options = patient();
  options.request_timeout = 20ms;
  options.answer_timeout = 10ms;
  const TestServer server(options);
  const auto connections = metrics::gauge("eventhorn_http_connections", "");
  const double before = connections.value();
  RawClient client(server.port());
  client.send(request("GET /big?100000000"));
  ASSERT_TRUE(client.readable());
  while (connections.value() > before) std::this_thread::yield();
  EXPECT_EQ(client.read_reply().body.size(), 0U);  // not whole
}

}  // namespace
}  // namespace eventhorn::http
