#include "outbound/client.h"

#include "outbound/client_test_support.h"

#include <fcntl.h>
#include <future>
#include <sys/resource.h>

namespace eventhorn::outbound {
namespace {

using namespace std::chrono_literals;
using testing::kOk;
using testing::Peer;
using testing::ScriptedReceiver;
using webhook::FailureKind;

class ClientTest : public testing::ClientFixture {};

// S10: credentials of the URL are sent as Basic. R25: nothing asks for an interim answer.
TEST_F(ClientTest, SendsOneRequestAndKeepsTheConnection) {
  std::string seen;
  ScriptedReceiver receiver([&](Peer& peer, int) {
    for (std::string r = peer.request(); !r.empty(); r = peer.request()) {
      seen = r;
      peer.send(kOk);
    }
  });
  const std::string url = receiver.url("us%65r:pa%20ss@127.0.0.1");
  for (int i = 0; i < 3; ++i) {
    const auto reply = post(url);
    EXPECT_EQ(reply.result.status, 200) << reply.result.error;
    EXPECT_EQ(reply.body, "ok");
    const auto& phases = reply.result.phases;
    EXPECT_EQ(phases.kept_connection, i > 0);
    EXPECT_EQ(phases.connect.count() > 0, i == 0);
    EXPECT_EQ(phases.tls.count(), 0);
    EXPECT_GT(phases.exchange.count(), 0);
    EXPECT_TRUE(phases.whole_answer);
  }
  EXPECT_EQ(receiver.connections(), 1);
  EXPECT_TRUE(seen.starts_with("POST /hook?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << seen;
  EXPECT_TRUE(seen.ends_with("\r\nContent-Length: 7\r\n\r\n{\"a\":1}")) << seen;
  EXPECT_NE(seen.find("\r\nAuthorization: Basic dXNlcjpwYSBzcw==\r\n"), std::string::npos)
      << "S10: " << seen;
  EXPECT_EQ(seen.find("Expect"), std::string::npos);
  EXPECT_EQ(seen.find("Accept-Encoding"), std::string::npos) << "R5";
  forget();
}

// S11, S12: custom fields are sent, once; those of an attempt with that attempt alone.
TEST_F(ClientTest, CustomHeaders) {
  std::vector<std::string> seen;
  ScriptedReceiver receiver([&](Peer& peer, int) {
    for (std::string r = peer.request(); !r.empty(); r = peer.request()) {
      seen.push_back(r.substr(0, r.size() - 7));
      peer.send(kOk);
    }
  });
  make_client();
  TargetOptions options;
  options.headers = {{"X-Tenant", "a b"}, {"authorization", "Bearer t"}, {"Accept", "text/plain"}};
  auto target = open(receiver.url("user:pass@127.0.0.1"), options);
  EXPECT_EQ(post_to(target, 10s, "webhook-id: 1\r\n").result.status, 200);
  EXPECT_EQ(post_to(target).result.status, 200);
  close(std::move(target));
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_TRUE(seen[0].ends_with("\r\nContent-Length: 7\r\nwebhook-id: 1\r\n\r\n")) << seen[0];
  EXPECT_TRUE(seen[1].ends_with("\r\nContent-Length: 7\r\n\r\n")) << seen[1];
  for (const auto& head : seen) {
    EXPECT_NE(head.find("\r\nX-Tenant: a b\r\nauthorization: Bearer t\r\nAccept: text/plain\r\n"),
              std::string::npos)
        << head;
    EXPECT_EQ(head.find("Basic"), std::string::npos);
    EXPECT_EQ(head.find("*/*"), std::string::npos);
  }
}

// R1: nothing ever comes; R2: one byte of the head at a time; both end at the deadline.
TEST_F(ClientTest, DeadlineEndsWhatNeverAnswers) {
  for (const std::string text : {"", "HTTP/1.1 200 O"}) {
    ScriptedReceiver receiver([&](Peer& peer, int) {
      (void)peer.request();
      peer.send(text);
      peer.wait_for_close();
    });
    const auto reply = post(receiver.url(), 300ms);
    EXPECT_EQ(reply.result.status, 0);
    EXPECT_EQ(reply.result.kind, FailureKind::kTimeout) << reply.result.error;
    forget();
  }
}

// R3, R6: the status was received; what happens to the body does not undo it.
TEST_F(ClientTest, StatusDecidesWhateverTheBodyDoes) {
  for (const bool reset : {false, true}) {
    ScriptedReceiver receiver([&](Peer& peer, int) {
      (void)peer.request();
      peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
      if (reset) {
        peer.reset_on_close();
      } else {
        peer.wait_for_close();
      }
    });
    EXPECT_EQ(post(receiver.url(), 400ms).result.status, 200);
    const auto second = post(receiver.url(), 400ms);
    EXPECT_EQ(second.result.status, 200);
    EXPECT_FALSE(second.result.phases.whole_answer);
    EXPECT_EQ(receiver.connections(), 2) << "such a connection is not kept";
    forget();
  }
}

// R4: an endless body is read to the cap, then closed. R5: and never decompressed.
TEST_F(ClientTest, EndlessBodyIsCut) {
  size_t chunks = 0;
  ScriptedReceiver receiver([&](Peer& peer, int) {
    (void)peer.request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "1000\r\n" + std::string(4096, 'x') + "\r\n";
    while (peer.send(chunk)) ++chunks;
  });
  const auto reply = post(receiver.url());
  EXPECT_EQ(reply.result.status, 200);
  EXPECT_EQ(reply.body, std::string(1024, 'x'));
}

// R7: the receiver closed the kept connection: the caller may try a fresh one.
TEST_F(ClientTest, StaleConnectionIsSaidToBeSo) {
  ScriptedReceiver receiver([](Peer& peer, int connection) {
    if (!peer.request().empty() && connection < 2) peer.send(kOk);
    if (connection == 1 && !peer.request().empty()) peer.reset_on_close();
  });
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  const auto stale = post(receiver.url());
  EXPECT_EQ(stale.result.status, 0);
  EXPECT_EQ(stale.result.kind, FailureKind::kClosed) << stale.result.error;
  EXPECT_TRUE(stale.stale);
  EXPECT_EQ(receiver.connections(), 1);
  const auto reply = post(receiver.url());
  EXPECT_EQ(reply.result.kind, FailureKind::kClosed) << reply.result.error;
  EXPECT_FALSE(reply.stale) << "over a connection of its own";
  EXPECT_EQ(receiver.connections(), 2);
}

// R7: the receiver closed while the connection was idle: that is seen before anything is sent.
TEST_F(ClientTest, ClosedIdleConnectionIsNotUsed) {
  std::promise<void> closed;
  ScriptedReceiver receiver([&](Peer& peer, int connection) {
    (void)peer.request();
    peer.send(kOk);
    if (connection == 2) closed.set_value();
  });
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  closed.get_future().wait();
  EXPECT_EQ(receiver.connections(), 2);
}

// R8: interim answers are passed over, but not for ever. R9: 101 is a failure.
TEST_F(ClientTest, InterimAnswers) {
  EXPECT_EQ(answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + kOk)
                .result.status,
            200);
  std::string storm;
  for (int i = 0; i < 10'000; ++i) storm += "HTTP/1.1 103 Early Hints\r\n\r\n";
  EXPECT_EQ(answer(storm + kOk).result.kind, FailureKind::kProtocol);
  EXPECT_EQ(answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").result.kind,
            FailureKind::kProtocol);
}

// R10, R26: what has no status line of HTTP/1.x fails, and never crashes.
TEST_F(ClientTest, StrictAboutTheAnswer) {
  EXPECT_EQ(answer("HTTP/1.1 204 No Content\r\n\r\n").result.status, 204);
  EXPECT_EQ(answer("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n").result.status, 205);
  EXPECT_EQ(answer("HTTP/1.1 304 Not Modified\r\n\r\n").result.status, 304);
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").result.status,
            200)
      << "the head was good; what comes after it changes nothing";
  EXPECT_EQ(answer("HTTP/1.0 200 OK\r\n\r\nbody until the close").result.status, 200);
  for (const std::string bad :
       {"220 mail.example.com ESMTP\r\n", "<html>hello</html>\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/9.1 200 OK\r\n\r\n", "HTTP/1.1 000 OK\r\n\r\n", "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Len"}) {
    const auto kind = answer(bad).result.kind;
    EXPECT_TRUE(kind == FailureKind::kProtocol || kind == FailureKind::kClosed) << bad;
  }
}

// R11: a huge head is bounded.
TEST_F(ClientTest, HugeHeadIsRefused) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 1000; ++i)
    head += "X-Filler-" + std::to_string(i) + ": " + std::string(64, 'x') + "\r\n";
  EXPECT_EQ(answer(head + "\r\n").result.kind, FailureKind::kTooLarge);
}

// R11: what is odd in a head is refused or harmless.
TEST_F(ClientTest, OddHeads) {
  using std::string_literals::operator""s;
  EXPECT_EQ(answer("HTTP/1.1 500 No\r\nX: a\0b\r\n\r\n"s).result.error,
            "HTTP status 500, malformed head: bad value");
  EXPECT_EQ(answer("HTTP/1.1 500 Gr\xc3\xb6\xff\r\nContent-Length: 0\r\n\r\n").result.error,
            "HTTP status 500");
  const auto moved = answer(
      "HTTP/1.1 302 Found\r\nLocation: http://a/\xff\"\r\n folded\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(moved.result.status, 302);
  EXPECT_EQ(moved.result.error, "HTTP status 302, Location: http://a/\\xff\\\" folded");
}

// R12: bytes after the answer: it counts, the connection does not serve again.
TEST_F(ClientTest, ExtraBytesEndTheConnection) {
  ScriptedReceiver receiver([](Peer& peer, int) {
    (void)peer.request();
    peer.send(kOk + "HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n");
    peer.wait_for_close();
  });
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  EXPECT_EQ(receiver.connections(), 2);
}

// R13: not followed; the place it points to is in the error. R16: Retry-After is read.
TEST_F(ClientTest, RedirectsAndRetryAfter) {
  const auto moved =
      answer("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(moved.result.status, 302);
  EXPECT_NE(moved.result.error.find("http://127.0.0.1:1/x"), std::string::npos);
  const auto busy = answer("HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(busy.result.retry_after, 17s);
}

// R24: the answer comes, and the connection closes, before the body was read.
TEST_F(ClientTest, AnswerBeforeTheBodyIsRead) {
  ScriptedReceiver receiver([](Peer& peer, int) {
    peer.send("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  EXPECT_EQ(post(receiver.url()).result.status, 413);
}

TEST_F(ClientTest, RefusedConnectionIsItsOwnKind) {
  std::string url;
  {
    url = ScriptedReceiver([](Peer&, int) {}).url();
  }
  EXPECT_EQ(post(url).result.kind, FailureKind::kConnect);
}

/// While it lives this process gets no further file descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int top = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(top);
    const rlimit full{static_cast<rlim_t>(top), before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &full), 0);
  }

  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

// C6: without a descriptor left it is our fault, not the receiver's.
TEST_F(ClientTest, C6NoDescriptorLeft) {
  ScriptedReceiver receiver([](Peer& peer, int) { peer.serve(kOk); });
  dns.emplace(
      [&](const std::string&, bool) { return testing::DnsReply{.addresses = {"127.0.0.1"}}; });
  make_client();
  for (const char* host : {"127.0.0.1", "name.example"}) {
    auto target = open(receiver.url(host));
    ClientReply reply;
    {
      const NoDescriptors full;
      reply = post_to(target);
    }
    EXPECT_EQ(reply.result.kind, FailureKind::kLocal) << host << ": " << reply.result.error;
    EXPECT_EQ(post_to(target).result.status, 200) << "it is not remembered";
    close(std::move(target));
  }
}

// C6: connections that only wait make room.
TEST_F(ClientTest, C6IdleConnectionsMakeRoom) {
  ScriptedReceiver kept([](Peer& peer, int) { peer.serve(kOk); });
  ScriptedReceiver other([](Peer& peer, int) { peer.serve(kOk); });
  make_client();
  auto first = open(kept.url());
  auto second = open(other.url());
  ASSERT_EQ(post_to(first).result.status, 200);
  ClientReply reply;
  {
    const NoDescriptors full;
    // The receiver may find no descriptor for its end; ours was found.
    reply = post_to(second, 200ms);
  }
  EXPECT_NE(reply.result.kind, FailureKind::kLocal) << reply.result.error;
  close(std::move(first));
  close(std::move(second));
}

// Idle connections are closed after their time, and when there are too many of them, the oldest
// first.
TEST_F(ClientTest, IdleConnectionsHaveBounds) {
  std::promise<void> closed;
  ScriptedReceiver oldest([&](Peer& peer, int) {
    peer.serve(kOk);
    closed.set_value();
  });
  ScriptedReceiver newest([](Peer& peer, int) { peer.serve(kOk); });
  ClientOptions options;
  options.max_idle_total = 1;
  make_client(options);
  auto first = open(oldest.url());
  auto second = open(newest.url());
  EXPECT_EQ(post_to(first).result.status, 200);
  EXPECT_EQ(post_to(second).result.status, 200);
  closed.get_future().wait();
  EXPECT_EQ(post_to(second).result.status, 200);
  EXPECT_EQ(newest.connections(), 1) << "the newer one was kept";
  close(std::move(first));
  close(std::move(second));
}

TEST_F(ClientTest, IdleConnectionsAreClosedAfterAWhile) {
  std::promise<void> closed;
  ScriptedReceiver receiver([&](Peer& peer, int) {
    peer.serve(kOk);
    closed.set_value();
  });
  ClientOptions options;
  options.idle_timeout = 0s;
  make_client(options);
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  closed.get_future().wait();
}

// Two URLs of one host share its connections.
TEST_F(ClientTest, ConnectionsBelongToTheHost) {
  ScriptedReceiver receiver([](Peer& peer, int) { peer.serve(kOk); });
  make_client();
  auto first = open(receiver.url() + "&a");
  auto second = open(receiver.url() + "&b");
  EXPECT_EQ(post_to(first).result.status, 200);
  EXPECT_EQ(post_to(second).result.status, 200);
  EXPECT_EQ(receiver.connections(), 1);
  close(std::move(first));
  EXPECT_EQ(post_to(second).result.status, 200);
  EXPECT_EQ(receiver.connections(), 1) << "one of them still needs it";
  close(std::move(second));
}

}  // namespace
}  // namespace eventhorn::outbound
