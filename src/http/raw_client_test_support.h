// A client for tests that sends exactly the bytes it is told, over plain TCP or TLS, blocking. A
// wait that nothing ends fails the test after 20 s.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace eventhorn::http::testing {

struct Reply {
  int status = 0;  // 0: the connection ended before a whole head
  std::string head;
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval patience{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  ~RawClient() {
    ssl_.reset();
    close(fd_);
  }

  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }

  /// Speaks TLS from here on, at most `max_version` when given; any certificate will do. False when
  /// the handshake fails.
  bool start_tls(int max_version = 0) {
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                              SSL_CTX_free);
    SSL_CTX_set_max_proto_version(context.get(), max_version);
    if (max_version != 0) SSL_CTX_set_min_proto_version(context.get(), max_version);
    ssl_.reset(SSL_new(context.get()));
    SSL_set_fd(ssl_.get(), fd_);
    return SSL_connect(ssl_.get()) == 1;
  }

  /// The serial number of the server's certificate.
  long serial() const {
    const std::unique_ptr<X509, decltype(&X509_free)> cert(SSL_get1_peer_certificate(ssl_.get()),
                                                           X509_free);
    return ASN1_INTEGER_get(X509_get0_serialNumber(cert.get()));
  }

  /// Waits until something can be read, without reading it.
  bool readable() const {
    pollfd waiting{fd_, POLLIN, 0};
    return poll(&waiting, 1, 20'000) == 1;
  }

  /// May fail half-way when the server has closed: that is for the reply to show.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ssl_ ? SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()))
                          : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  void end_sending() { shutdown(fd_, SHUT_WR); }

  /// Ends the connection with a reset, whatever is under way.
  void reset() {
    const linger at_once{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(std::exchange(fd_, -1));
  }

  /// The next response, with its body unless `with_body` is false (HEAD).
  Reply read_reply(bool with_body = true) {
    Reply reply;
    size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return reply;
    }
    reply.head = received_.substr(0, end + 4);
    received_.erase(0, end + 4);
    reply.status = std::atoi(reply.head.c_str() + reply.head.find(' '));
    const auto at = reply.head.find("Content-Length: ");
    if (!with_body || at == std::string::npos) return reply;
    const auto length = std::strtoul(reply.head.c_str() + at + 16, nullptr, 10);
    while (received_.size() < length) {
      if (!receive()) return reply;
    }
    reply.body = received_.substr(0, length);
    received_.erase(0, length);
    return reply;
  }

  Reply ask(std::string_view bytes, bool with_body = true) {
    send(bytes);
    return read_reply(with_body);
  }

  /// The next `size` bytes; fewer when the server closes first.
  std::string read_bytes(size_t size) {
    while (received_.size() < size && receive()) continue;
    auto out = received_.substr(0, size);
    received_.erase(0, size);
    return out;
  }

  /// All that comes until the server closes.
  std::string read_to_end() {
    while (receive()) continue;
    return std::exchange(received_, {});
  }

  /// Waits for the server to close. False when more bytes come first, or nothing at all.
  bool closed() {
    if (!received_.empty() || receive()) return false;
    return errno_ != EAGAIN;
  }

 private:
  bool receive() {
    char piece[4096];
    errno = 0;
    const auto n =
        ssl_ ? SSL_read(ssl_.get(), piece, sizeof piece) : recv(fd_, piece, sizeof piece, 0);
    errno_ = errno;
    if (n <= 0) {
      EXPECT_NE(errno_, EAGAIN) << "the server neither answered nor closed";
      return false;
    }
    received_.append(piece, static_cast<size_t>(n));
    return true;
  }

  int fd_;
  int errno_ = 0;
  bool connected_ = false;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_{nullptr, SSL_free};
  std::string received_;
};

}  // namespace eventhorn::http::testing
