// A receiver for tests of the client: a script of blocking reads and writes for each connection.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace eventhorn::outbound::testing {

/// Sets a TLS server up: its certificate, and what else a test wants.
using TlsSetup = std::function<void(SSL_CTX*)>;

inline std::shared_ptr<SSL_CTX> make_tls_server(const TlsSetup& setup) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  setup(context.get());
  return context;
}

/// One connection at the receiver, plain or TLS.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}

  ~Peer() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    ::close(fd_);
  }

  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// False when the handshake fails.
  bool accept_tls(SSL_CTX* context) {
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, fd_);
    return SSL_accept(ssl_) == 1;
  }

  SSL* ssl() { return ssl_; }

  /// Up to the empty line; empty when the client is gone.
  std::string head() {
    for (;;) {
      const auto end = received_.find("\r\n\r\n");
      if (end != std::string::npos) return take(end + 4);
      if (!receive()) return {};
    }
  }

  /// A whole request with its body; empty when the client is gone.
  std::string request() {
    const std::string fields = head();
    const auto at = fields.find("Content-Length: ");
    if (at == std::string::npos) return fields;
    const size_t length = std::stoul(fields.substr(at + 16));
    while (received_.size() < length) {
      if (!receive()) return {};
    }
    return fields + take(length);
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

  /// Answers every request until the client closes.
  void serve(std::string_view answer) {
    while (!request().empty()) send(answer);
  }

  void wait_for_close() {
    char byte = 0;
    while (::recv(fd_, &byte, 1, 0) > 0) {
    }
  }

  void reset_on_close() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

  /// The client's IPv4 address.
  std::string remote() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  }

 private:
  bool receive() {
    char buffer[4096];
    const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, buffer, sizeof buffer)
                                      : ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    received_.append(buffer, static_cast<size_t>(n));
    return true;
  }

  std::string take(size_t size) {
    std::string out = received_.substr(0, size);
    received_.erase(0, size);
    return out;
  }

  int fd_;
  SSL* ssl_ = nullptr;
  std::string received_;
};

struct ReceiverOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: a free one
  TlsSetup tls{};     // empty: plain
};

/// Listens on an IPv4 loopback address and runs `script` for each connection, one after another.
class ScriptedReceiver {
 public:
  using Script = std::function<void(Peer&, int connection)>;

  explicit ScriptedReceiver(Script script, ReceiverOptions options = {})
      : script_(std::move(script)),
        options_(std::move(options)),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (options_.tls) tls_ = make_tls_server(options_.tls);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    ::inet_pton(AF_INET, options_.address.c_str(), &address.sin_addr);
    socklen_t size = sizeof address;
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  ~ScriptedReceiver() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url(const std::string& host) const {
    return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + "/hook?x=1";
  }

  std::string url() const { return url(options_.address); }

  uint16_t port() const { return port_; }

  int connections() const { return connections_; }

 private:
  void run() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      ++connections_;
      Peer peer(fd);
      if (!tls_ || peer.accept_tls(tls_.get())) script_(peer, connections_);
    }
  }

  Script script_;
  ReceiverOptions options_;
  std::shared_ptr<SSL_CTX> tls_;
  int listener_;
  uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread thread_;
};

inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace eventhorn::outbound::testing
