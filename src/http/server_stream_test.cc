// Streamed responses: framing, and every way in which a stream ends.
#include "base/metrics.h"
#include "http/server_test_support.h"
#include "http/tls_files_test_support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace eventhorn::http {
namespace {

using namespace std::chrono_literals;
using testing::RawClient;
using testing::request;
using testing::TestServer;
using testing::TlsFiles;

// What a test sees of the source it made.
struct Watch {
  ~Watch() { gone.set_value(); }

  const SystemClock clock;
  std::promise<void> gone;  // the source and its task are no more
  std::atomic<size_t>* asked = nullptr;
};

enum class Then { kEnd, kWait, kThrow, kRepeat };

class Script {
 public:
  Script(std::vector<std::string> pieces, Then then)
      : pieces_(std::move(pieces)), then_(then), gone_(watch_->gone.get_future()) {
    watch_->asked = &asked_;
  }

  /// One source; the script must outlive it.
  BodySource source() {
    auto pieces = std::make_shared<std::vector<std::string>>(pieces_);
    return [watch = std::exchange(watch_, nullptr), pieces, then = then_] {
      return next(watch, pieces, then);
    };
  }

  /// How often the source was asked.
  size_t asked() const { return asked_; }

  /// Waits until the source is destroyed.
  bool gone() { return gone_.wait_for(20s) == std::future_status::ready; }

 private:
  static Task<std::optional<std::string>> next(std::shared_ptr<Watch> watch,
                                               std::shared_ptr<std::vector<std::string>> pieces,
                                               Then then) {
    ++*watch->asked;
    if (!pieces->empty()) {
      auto piece = pieces->front();
      if (then != Then::kRepeat) pieces->erase(pieces->begin());
      co_return piece;
    }
    if (then == Then::kWait) co_await sleep_until(watch->clock, Deadline::max());
    if (then == Then::kThrow) throw std::runtime_error("broken");
    co_return std::nullopt;
  }

  std::vector<std::string> pieces_;
  Then then_;
  std::atomic<size_t> asked_{0};
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
  std::future<void> gone_;
};

// A server whose /stream plays a script once.
struct ScriptServer {
  explicit ScriptServer(Script& script, ServerOptions options = {}) : server(std::move(options)) {
    server.make_stream = [&script] { return script.source(); };
  }

  TestServer server;
};

TEST(ServerStream, SendsPiecesAsChunksAndCloses) {
  Script script({"hello", "", std::string(20, 'x')}, Then::kEnd);
  const ScriptServer s(script);
  RawClient client(s.server.port());
  const auto reply = client.ask(request("GET /stream"));
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.head.find("\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"),
            std::string::npos);
  EXPECT_EQ(reply.head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(client.read_to_end(), "5\r\nhello\r\n14\r\n" + std::string(20, 'x') + "\r\n0\r\n\r\n");
}

TEST(ServerStream, SendsHttp10ClientsTheBareBody) {
  Script script({"hello", " world"}, Then::kEnd);
  const ScriptServer s(script);
  RawClient client(s.server.port());
  const auto reply = client.ask("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_EQ(reply.head.find("Transfer-Encoding"), std::string::npos);
  EXPECT_EQ(client.read_to_end(), "hello world");
}

TEST(ServerStream, HeadHasNoBody) {
  Script script({"hello"}, Then::kEnd);
  const ScriptServer s(script);
  RawClient client(s.server.port());
  EXPECT_EQ(client.ask(request("HEAD /stream")).status, 200);
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(script.asked(), 0U);
}

TEST(ServerStream, FlushesEachPieceAndLastsLongerThanRequests) {
  ServerOptions options;
  options.request_timeout = 300ms;
  options.answer_timeout = 300ms;
  options.idle_timeout = 300ms;
  Script script({"one", "two"}, Then::kWait);
  ScriptServer s(script, options);
  RawClient client(s.server.port());
  client.ask(request("GET /stream"));
  EXPECT_EQ(client.read_bytes(16), "3\r\none\r\n3\r\ntwo\r\n");
  std::promise<void> never;
  EXPECT_EQ(never.get_future().wait_for(1s), std::future_status::timeout);
  s.server.server().stop_accepting();
  EXPECT_EQ(client.read_to_end(), "0\r\n\r\n");  // it was still there
}

TEST(ServerStream, NoticesAClientThatLeaves) {
  Script script({"one"}, Then::kWait);
  const ScriptServer s(script);
  {
    RawClient client(s.server.port());
    client.ask(request("GET /stream"));
    EXPECT_EQ(client.read_bytes(8), "3\r\none\r\n");
    client.send("what comes now is dropped");
  }
  EXPECT_TRUE(script.gone());
}

TEST(ServerStream, NoticesAClientThatEndsItsSide) {
  Script script({}, Then::kWait);
  const ScriptServer s(script);
  RawClient client(s.server.port());
  client.send(request("GET /stream"));
  client.end_sending();
  EXPECT_EQ(client.read_reply().status, 200);
  EXPECT_EQ(client.read_to_end(), "");  // no last chunk: it was cut off
  EXPECT_TRUE(script.gone());
}

// The client reads nothing: the source is not asked for more than sockets hold, and the client is
// dropped.
TEST(ServerStream, DropsAClientThatDoesNotReadAndPilesUpNothing) {
  constexpr size_t kPiece = 256 * 1024;
  ServerOptions options;
  options.stream_write_timeout = 100ms;
  Script script({std::string(kPiece, 'p')}, Then::kRepeat);
  const ScriptServer s(script, options);
  RawClient client(s.server.port());
  client.send(request("GET /stream"));
  EXPECT_TRUE(script.gone());
  EXPECT_GE(script.asked(), 1U);
  EXPECT_LT(script.asked() * kPiece, size_t{32} * 1024 * 1024);
}

TEST(ServerStream, EndsAtOnceWhenTheServerStops) {
  Script script({"one"}, Then::kWait);
  ScriptServer s(script);
  auto client = std::make_unique<RawClient>(s.server.port());
  client->ask(request("GET /stream"));
  EXPECT_EQ(client->read_bytes(8), "3\r\none\r\n");
  std::thread reader([&] {
    EXPECT_EQ(client->read_to_end(), "0\r\n\r\n");
    client.reset();
  });
  s.server.server().drain(Deadline::max());
  reader.join();
  EXPECT_TRUE(script.gone());
}

TEST(ServerStream, WhatMustComeToItsEndIsNotWholeBeforeIt) {
  Script script({"one"}, Then::kWait);
  ScriptServer s(script);
  s.server.must_end = true;
  RawClient client(s.server.port());
  client.ask(request("GET /stream"));
  EXPECT_EQ(client.read_bytes(8), "3\r\none\r\n");
  s.server.server().stop_accepting();
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(script.gone());
}

TEST(ServerStream, WhatCameToItsEndIsWhole) {
  Script script({"one"}, Then::kEnd);
  ScriptServer s(script);
  s.server.must_end = true;
  RawClient client(s.server.port());
  client.ask(request("GET /stream"));
  EXPECT_EQ(client.read_to_end(), "3\r\none\r\n0\r\n\r\n");
}

TEST(ServerStream, EndsAtOnceWhenTheServerStopsInTheMiddleOfAPiece) {
  ServerOptions options;
  options.stream_write_timeout = 1h;
  Script script({std::string(1 << 20, 'p')}, Then::kRepeat);
  ScriptServer s(script, options);
  {
    RawClient client(s.server.port());
    client.ask(request("GET /stream"));
    s.server.server().stop_accepting();
    EXPECT_TRUE(script.gone());
    EXPECT_FALSE(client.read_to_end().ends_with("\r\n0\r\n\r\n"));
  }
  s.server.server().drain(Deadline::max());
}

// Cancelled from outside, wherever it is just then: no error, no bug.
TEST(ServerStream, IsCancelledAtTheDeadlineOfAShutdown) {
  auto bugs = metrics::counter("eventhorn_bugs_total", "");
  const double before = bugs.value();
  Script script({std::string(1 << 20, 'p')}, Then::kRepeat);
  ScriptServer s(script);
  RawClient client(s.server.port());
  client.ask(request("GET /stream"));
  s.server.server().drain(std::chrono::steady_clock::now());
  EXPECT_TRUE(script.gone());
  EXPECT_EQ(bugs.value(), before);
}

TEST(ServerStream, ASourceThatThrowsEndsWithoutTheLastChunk) {
  Script script({"one"}, Then::kThrow);
  const ScriptServer s(script);
  RawClient client(s.server.port());
  client.ask(request("GET /stream"));
  EXPECT_EQ(client.read_to_end(), "3\r\none\r\n");
}

TEST(ServerStream, OneTooManyGives503) {
  ServerOptions options;
  options.max_streams = 1;
  Script first({}, Then::kWait);
  Script second({}, Then::kWait);
  Script third({"three"}, Then::kEnd);
  TestServer server(options);
  server.make_stream = [&, calls = 0]() mutable {
    const int call = calls++;
    return call == 0 ? first.source() : call == 1 ? second.source() : third.source();
  };
  RawClient other(server.port());
  {
    RawClient client(server.port());
    EXPECT_EQ(client.ask(request("GET /stream")).status, 200);
    const auto refused = other.ask(request("GET /stream"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_EQ(refused.body, "{\"message\":\"too many streams\"}\n");
    EXPECT_EQ(other.ask(request("GET /a")).status, 200);
  }
  EXPECT_TRUE(first.gone());
  EXPECT_TRUE(second.gone());
  EXPECT_EQ(other.ask(request("GET /stream")).status, 200);
  EXPECT_EQ(other.read_to_end(), "5\r\nthree\r\n0\r\n\r\n");
}

TEST(ServerStream, OverTls) {
  static const SystemClock clock;
  const TlsFiles files(7);
  ServerOptions options;
  options.tls = *TlsContext::load(files.cert(), files.key(), clock);
  Script leaves({"one"}, Then::kWait);
  Script stays({"two"}, Then::kWait);
  TestServer server(options);
  server.make_stream = [&, calls = 0]() mutable {
    return calls++ == 0 ? leaves.source() : stays.source();
  };
  {
    RawClient client(server.port());
    ASSERT_TRUE(client.start_tls());
    client.ask(request("GET /stream"));
    EXPECT_EQ(client.read_bytes(8), "3\r\none\r\n");
  }
  EXPECT_TRUE(leaves.gone());
  RawClient client(server.port());
  ASSERT_TRUE(client.start_tls());
  client.ask(request("GET /stream"));
  EXPECT_EQ(client.read_bytes(8), "3\r\ntwo\r\n");
  server.server().stop_accepting();
  EXPECT_EQ(client.read_to_end(), "0\r\n\r\n");
}

}  // namespace
}  // namespace eventhorn::http
