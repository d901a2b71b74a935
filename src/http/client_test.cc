#include "http/client.h"

#include "async/block_on.h"
#include "async/cores.h"
#include "http/tls_files_test_support.h"

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <functional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace eventhorn::http {
namespace {

using namespace std::chrono_literals;
using webhook::FailureKind;

/// One connection at the scripted receiver: blocking reads and writes, plain or TLS.
class Peer {
 public:
  Peer(int fd, SSL_CTX* tls) : fd_(fd) {
    if (tls == nullptr) return;
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd);
    good_ = SSL_accept(ssl_) == 1;
  }

  ~Peer() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    ::close(fd_);
  }

  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool good() const { return good_; }

  /// A whole request with its body; empty when the client is gone.
  std::string request() {
    std::string text;
    for (;;) {
      const auto end = text.find("\r\n\r\n");
      const auto at = text.find("Content-Length: ");
      if (end != std::string::npos && at != std::string::npos &&
          text.size() >= end + 4 + std::stoul(text.substr(at + 16))) {
        return text;
      }
      char buffer[4096];
      const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer)
                                        : ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) return {};
      text.append(buffer, static_cast<size_t>(n));
    }
  }

  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ssl_ != nullptr
                            ? SSL_write(ssl_, text.data(), static_cast<int>(text.size()))
                            : ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  /// Waits until the client closes.
  void wait_for_close() {
    char byte = 0;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
  }

  void reset_on_close() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  int fd_;
  SSL* ssl_ = nullptr;
  bool good_ = true;
};

/// A receiver on loopback that runs `script` for each connection, one after another.
class ScriptedReceiver {
 public:
  explicit ScriptedReceiver(std::function<void(Peer&, int connection)> script,
                            const testing::TlsFiles* tls = nullptr)
      : script_(std::move(script)) {
    if (tls != nullptr) {
      tls_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate_chain_file(tls_, tls->cert().c_str());
      SSL_CTX_use_PrivateKey_file(tls_, tls->key().c_str(), SSL_FILETYPE_PEM);
    }
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const int fd = ::accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        ++connections_;
        Peer peer(fd, tls_);
        if (peer.good()) script_(peer, connections_);
      }
    });
  }

  ~ScriptedReceiver() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    if (tls_ != nullptr) SSL_CTX_free(tls_);
  }

  std::string url(const std::string& host = "127.0.0.1") const {
    return (tls_ != nullptr ? "https://" : "http://") + host + ":" + std::to_string(port_) +
           "/hook?x=1";
  }

  int connections() const { return connections_; }

 private:
  std::function<void(Peer&, int)> script_;
  SSL_CTX* tls_ = nullptr;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() : pool_(1), cores_(1) {
    std::signal(SIGPIPE, SIG_IGN);
    cores_.start();
  }

  ~ClientTest() override {
    if (client_) {
      run([](Client&) -> Task<ClientReply> { co_return ClientReply(); });
      target_.reset();
    }
    cores_.stop();
    client_.reset();
    pool_.join();
  }

  template <class F>
  ClientReply run(F f) {
    return block_on(asio::any_io_executor(cores_.at(0).get_executor()), f(*client_));
  }

  void make_client(bool allow_loopback = true) {
    std::vector<Cidr> allow;
    if (allow_loopback) allow.push_back(*parse_cidr("127.0.0.0/8"));
    client_ = std::make_unique<Client>(cores_.at(0).get_executor(), pool_, AddressGuard(allow),
                                       ClientOptions());
  }

  static Task<ClientReply> post_once(Client& client, std::shared_ptr<Client::Target> target,
                                     Deadline deadline) {
    const std::array<std::string_view, 2> pieces = {"{\"a\":", "1}"};
    auto reply = co_await client.post(*target, pieces, deadline);
    co_return reply;
  }

  /// One POST over the connections kept from the last one to the same URL.
  ClientReply post(const std::string& url, std::chrono::milliseconds within = 10s) {
    if (!client_) make_client();
    if (url != url_) {
      target_ = client_->open(*webhook::parse_target_url(url));
      url_ = url;
    }
    return run([&](Client& client) {
      return post_once(client, target_, std::chrono::steady_clock::now() + within);
    });
  }

  /// What one answer, then a close, gives.
  ClientReply answer(const std::string& text) {
    ScriptedReceiver receiver([&](Peer& peer, int) {
      if (!peer.request().empty()) peer.send(text);
    });
    auto reply = post(receiver.url());
    target_.reset();
    url_.clear();
    return reply;
  }

  asio::thread_pool pool_;
  Cores cores_;
  std::unique_ptr<Client> client_;
  std::shared_ptr<Client::Target> target_;
  std::string url_;
};

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
  }
  EXPECT_EQ(receiver.connections(), 1);
  EXPECT_TRUE(seen.starts_with("POST /hook?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")) << seen;
  EXPECT_TRUE(seen.ends_with("\r\nContent-Length: 7\r\n\r\n{\"a\":1}")) << seen;
  EXPECT_NE(seen.find("\r\nAuthorization: Basic dXNlcjpwYSBzcw==\r\n"), std::string::npos)
      << "S10: " << seen;
  target_.reset();
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
    target_.reset();
    url_.clear();
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
    EXPECT_EQ(post(receiver.url(), 400ms).result.status, 200);
    EXPECT_EQ(receiver.connections(), 2) << "such a connection is not kept";
    target_.reset();
    url_.clear();
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

// R7: the receiver closed the kept connection: once more on a fresh one. A fresh connection is not
// tried twice.
TEST_F(ClientTest, StaleConnectionIsReplacedOnce) {
  ScriptedReceiver receiver([](Peer& peer, int connection) {
    if (!peer.request().empty() && connection < 3) peer.send(kOk);
    if (connection == 1 && !peer.request().empty()) peer.reset_on_close();
  });
  EXPECT_EQ(post(receiver.url()).result.status, 200);
  EXPECT_EQ(post(receiver.url()).result.status, 200) << "over a second connection";
  EXPECT_EQ(receiver.connections(), 2);
  const auto reply = post(receiver.url());
  EXPECT_EQ(reply.result.status, 0);
  EXPECT_EQ(reply.result.kind, FailureKind::kClosed) << reply.result.error;
  EXPECT_EQ(receiver.connections(), 3);
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

// R10, R26: whatever is not plain HTTP/1.x fails, and never crashes.
TEST_F(ClientTest, StrictAboutTheAnswer) {
  EXPECT_EQ(answer("HTTP/1.1 204 No Content\r\n\r\n").result.status, 204);
  EXPECT_EQ(answer("HTTP/1.1 304 Not Modified\r\n\r\n").result.status, 304);
  EXPECT_EQ(answer("HTTP/1.0 200 OK\r\n\r\nbody until the close").result.status, 200);
  for (const std::string bad :
       {"220 mail.example.com ESMTP\r\n", "<html>hello</html>\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n", "HTTP/9.1 200 OK\r\n\r\n"}) {
    EXPECT_EQ(answer(bad).result.kind, FailureKind::kProtocol) << bad;
  }
}

// R11: a huge head is bounded.
TEST_F(ClientTest, HugeHeadIsRefused) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 1000; ++i)
    head += "X-Filler-" + std::to_string(i) + ": " + std::string(64, 'x') + "\r\n";
  EXPECT_EQ(answer(head + "\r\n").result.kind, FailureKind::kTooLarge);
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

// S1, S5, S7: the guard judges the address that is dialled, whatever it was called; nothing is
// connected.
TEST_F(ClientTest, GuardRefusesBeforeConnecting) {
  ScriptedReceiver receiver([](Peer& peer, int) { peer.send(kOk); });
  make_client(false);
  for (const char* host : {"127.0.0.1", "localhost", "2130706433", "0x7f.1"}) {
    const auto reply = post(receiver.url(host));
    EXPECT_EQ(reply.result.kind, FailureKind::kBlocked) << host;
    EXPECT_EQ(reply.result.error.find("127.0.0.1"), std::string::npos) << "S16";
  }
  EXPECT_EQ(receiver.connections(), 0);
}

// R20: certificates are verified, names too; a good one works and its connection is kept.
TEST_F(ClientTest, TlsIsVerified) {
  const testing::TlsFiles files(1);
  ScriptedReceiver receiver(
      [](Peer& peer, int) {
        while (!peer.request().empty()) peer.send(kOk);
      },
      &files);
  const auto unknown = post(receiver.url("localhost"));
  EXPECT_EQ(unknown.result.kind, FailureKind::kTls) << unknown.result.error;
  ::setenv("SSL_CERT_FILE", files.cert().c_str(), 1);
  target_.reset();
  url_.clear();
  run([](Client&) -> Task<ClientReply> { co_return ClientReply(); });
  make_client();
  const auto wrong_name = post(receiver.url("127.0.0.1"));
  EXPECT_EQ(wrong_name.result.kind, FailureKind::kTls) << wrong_name.result.error;
  const int before = receiver.connections();
  EXPECT_EQ(post(receiver.url("localhost")).result.status, 200);
  EXPECT_EQ(post(receiver.url("localhost")).result.status, 200);
  EXPECT_EQ(receiver.connections(), before + 1);
  ::unsetenv("SSL_CERT_FILE");
  target_.reset();
}

}  // namespace
}  // namespace eventhorn::http
