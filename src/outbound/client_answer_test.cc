// How the client reads answers: what settles, what it takes, and what it costs.
#include "http/tls_files_test_support.h"
#include "outbound/client.h"
#include "outbound/client_test_support.h"

#include <cstdlib>
#include <future>

namespace eventhorn::outbound {
namespace {

using namespace std::chrono_literals;
using testing::kOk;
using testing::Peer;
using testing::ScriptedReceiver;
using webhook::FailureKind;

class ClientAnswerTest : public testing::ClientFixture {
 protected:
  ClientAnswerTest() { ::setenv("SSL_CERT_FILE", files.cert().c_str(), 1); }

  ~ClientAnswerTest() override { ::unsetenv("SSL_CERT_FILE"); }

  testing::ReceiverOptions tls() const {
    return {.tls = [this](SSL_CTX* context) {
      SSL_CTX_use_certificate_chain_file(context, files.cert().c_str());
      SSL_CTX_use_PrivateKey_file(context, files.key().c_str(), SSL_FILETYPE_PEM);
    }};
  }

  const http::testing::TlsFiles files{1};
};

// R27: what belongs to no chunk's data is bounded like the head is.
TEST_F(ClientAnswerTest, R27FramingWithoutAnEndIsCut) {
  constexpr size_t kMuch = size_t{64} << 20;
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string begin :
       {"", "5;", "5;a=\"", "0;", "0\r\nX: ", "0\r\nX: y\r\n", "5\r\nhello\r\n0"}) {
    for (const bool over_tls : {false, true}) {
      size_t sent = 0;
      {
        ScriptedReceiver receiver(
            [&](Peer& peer, int) {
              (void)peer.request();
              peer.send(chunked + begin);
              const std::string piece(16384, begin.empty() || begin.ends_with("0") ? '0' : 'a');
              while (sent < kMuch && peer.send(piece)) sent += piece.size();
              if (sent >= kMuch) peer.wait_for_close();
            },
            over_tls ? tls() : testing::ReceiverOptions());
        const auto reply = post(receiver.url(over_tls ? "localhost" : "127.0.0.1"), 5s);
        EXPECT_EQ(reply.result.status, 200) << begin << reply.result.error;
        EXPECT_FALSE(reply.result.phases.whole_answer);
        forget();
      }
      EXPECT_LT(sent, kMuch) << begin << ": the connection was not closed";
    }
  }
}

// R27: nor is what chunks take beside their data without bound.
TEST_F(ClientAnswerTest, R27ManySmallChunksAreCut) {
  constexpr size_t kMuch = size_t{64} << 20;
  size_t sent = 0;
  {
    ScriptedReceiver receiver([&](Peer& peer, int) {
      (void)peer.request();
      peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const std::string chunk = "1;" + std::string(8192, 'x') + "\r\ny\r\n";
      while (sent < kMuch && peer.send(chunk)) sent += chunk.size();
      if (sent >= kMuch) peer.wait_for_close();
    });
    EXPECT_EQ(post(receiver.url(), 5s).result.status, 200);
    forget();
  }
  EXPECT_LT(sent, kMuch);
}

// RFC 9110 section 6.5.1: a trailer changes nothing.
TEST_F(ClientAnswerTest, TrailersAreDropped) {
  const auto reply = answer(
      "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 3600\r\nLocation: "
      "http://a/\r\n\r\n");
  EXPECT_EQ(reply.result.status, 503);
  EXPECT_FALSE(reply.result.retry_after);
  EXPECT_EQ(reply.result.error, "HTTP status 503");
}

// RFC 9112 section 6.3: without a length the end of the connection is the end of the answer.
TEST_F(ClientAnswerTest, TheCloseEndsAnAnswerWithoutLength) {
  for (const std::string head :
       {"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"}) {
    const auto reply = answer(head + "all of it");
    EXPECT_TRUE(reply.result.phases.whole_answer) << head;
    EXPECT_EQ(reply.body, "all of it");
  }
  for (const std::string head : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n"})
    EXPECT_FALSE(answer(head + "a part").result.phases.whole_answer) << head;
}

// R10: the status settles, the fault is told, and nothing more is read from that connection.
TEST_F(ClientAnswerTest, R10AStatusThatReadsOneWaySettles) {
  for (const std::string head :
       {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n"}) {
    ScriptedReceiver receiver([&](Peer& peer, int) { peer.serve(head); });
    for (int n = 1; n <= 2; ++n) {
      const auto reply = post(receiver.url());
      EXPECT_EQ(reply.result.status, 200) << head << reply.result.error;
      EXPECT_EQ(reply.result.kind, FailureKind::kNone);
      EXPECT_TRUE(reply.result.error.starts_with("malformed head: ")) << reply.result.error;
      EXPECT_FALSE(reply.result.phases.whole_answer);
      EXPECT_EQ(receiver.connections(), n) << "such a connection is not kept";
    }
    forget();
  }
  const auto busy = answer("HTTP/1.1 503 Busy\nRetry-After: 17\n\n");
  EXPECT_EQ(busy.result.retry_after, 17s);
  EXPECT_TRUE(busy.result.error.starts_with("HTTP status 503, malformed head: "))
      << busy.result.error;
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n").result.error,
            "malformed body: bad chunk");
}

// R10: an interim answer that is not sound leaves open where the next one begins.
TEST_F(ClientAnswerTest, R10TwoAnswersSettleNothing) {
  for (const std::string text : {"HTTP/1.1 100 Go\n\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                 "HTTP/1.1 200 OK\rHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
                                 "HTTP/1.1 200 OK\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"})
    EXPECT_EQ(answer(text).result.kind, FailureKind::kProtocol) << text;
}

// RFC 9112 section 6.1: where the answer ends is not sure enough for another one to follow.
TEST_F(ClientAnswerTest, UnclearEndsAreNotFollowedByAnotherRequest) {
  for (const std::string text :
       {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"}) {
    ScriptedReceiver receiver([&](Peer& peer, int) { peer.serve(text); });
    EXPECT_EQ(post(receiver.url()).result.status, 200);
    EXPECT_EQ(post(receiver.url()).result.status, 200);
    EXPECT_EQ(receiver.connections(), 2) << text;
    forget();
  }
}

// R28: what the TLS engine, or a record that it has read, holds beyond the answer was not asked
// for.
TEST_F(ClientAnswerTest, R28ExtraBytesWithinTls) {
  const std::string extra = "HTTP/1.1 200 Not Yours\r\nContent-Length: 0\r\n\r\n";
  const std::string begin = "HTTP/1.1 204 None\r\nX: ";
  constexpr size_t kOneRead = 4096;
  const std::string ends_with_a_read =
      begin + std::string(kOneRead - begin.size() - 4, 'x') + "\r\n\r\n";
  const std::vector<std::vector<std::string>> ways = {
      {kOk + extra}, {kOk, extra}, {ends_with_a_read + extra}, {ends_with_a_read, extra}};
  for (const auto& records : ways) {
    std::promise<void> sent;
    ScriptedReceiver receiver(
        [&](Peer& peer, int connection) {
          if (connection == 1) {
            (void)peer.request();
            for (const auto& record : records) peer.send(record);
            sent.set_value();
          }
          peer.serve(kOk);
        },
        tls());
    EXPECT_EQ(post(receiver.url("localhost")).result.kind, FailureKind::kNone);
    sent.get_future().wait();
    EXPECT_EQ(post(receiver.url("localhost")).body, "ok") << "the next request's own answer";
    EXPECT_EQ(receiver.connections(), 2);
    forget();
  }
}

// R28: nor is an answer that comes while the connection is idle; session tickets are no answer.
TEST_F(ClientAnswerTest, R28WhatComesWhileIdleOverTls) {
  for (const bool ticket : {false, true}) {
    std::promise<void> asked;
    std::promise<void> told;
    ScriptedReceiver receiver(
        [&](Peer& peer, int connection) {
          (void)peer.request();
          peer.send(kOk);
          if (connection == 1) {
            asked.get_future().wait();
            if (ticket) {
              SSL_new_session_ticket(peer.ssl());
              SSL_do_handshake(peer.ssl());
            } else {
              peer.send("HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n");
            }
            told.set_value();
          }
          peer.serve(kOk);
        },
        tls());
    EXPECT_EQ(post(receiver.url("localhost")).result.status, 200);
    asked.set_value();
    told.get_future().wait();
    EXPECT_EQ(post(receiver.url("localhost")).result.status, 200);
    EXPECT_EQ(receiver.connections(), ticket ? 1 : 2);
    forget();
  }
}

}  // namespace
}  // namespace eventhorn::outbound
