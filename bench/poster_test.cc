#include "poster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>

namespace eventhorn::bench {
namespace {

using testing::UnorderedElementsAre;

constexpr size_t kConnections = 2;

/// A port that refuses connections until listen(); then it answers requests on kConnections
/// connections until they end, the first of each with 503.
class LateServer {
 public:
  LateServer() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  /// Threads that still wait for a connection go too.
  ~LateServer() { ::shutdown(fd_.get(), SHUT_RDWR); }

  Address address() const { return {INADDR_LOOPBACK, local_port(fd_)}; }

  void listen() {
    ASSERT_EQ(::listen(fd_.get(), 8), 0);
    for (size_t i = 0; i < kConnections; ++i) threads_.emplace_back([this] { serve(); });
  }

 private:
  void serve() const {
    const Fd connection(::accept(fd_.get(), nullptr, nullptr));
    std::string_view answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    char byte = 0;
    std::string request;
    while (::recv(connection.get(), &byte, 1, 0) == 1) {
      request.push_back(byte);
      if (!request.ends_with("\r\n\r\n")) continue;
      request.clear();
      ::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    }
  }

  Fd fd_;
  std::vector<std::jthread> threads_;
};

class TwoRequests : public Source {
 public:
  explicit TwoRequests(LateServer& server) : server_(server) {}

  std::optional<int64_t> due_ns(size_t n) override {
    if (n == 2) return std::nullopt;
    return 0;
  }

  /// The first leaves for a port that refuses it, the second for one that takes it.
  std::string_view request(size_t n, std::string& /*storage*/) override {
    if (n == 1) server_.listen();
    return "GET / HTTP/1.1\r\n\r\n";
  }

  void settled(size_t n, std::string_view /*body*/, int64_t /*now_ns*/) override {
    settled_.push_back(n);
  }

  const std::vector<size_t>& settled() const { return settled_; }

 private:
  LateServer& server_;
  std::vector<size_t> settled_;
};

TEST(Poster, SendsAgainWhatAServerRefusedThatWasNotThere) {
  LateServer server;
  TwoRequests source(server);
  Poster poster(server.address(), {.connections = kConnections, .reconnect = true}, source);
  poster.run(/*stop=*/false);
  EXPECT_THAT(source.settled(), UnorderedElementsAre(0, 1));
  EXPECT_EQ(poster.broken(), 1U);
}

TEST(Poster, StopsWithNothingUnderWay) {
  LateServer server;
  TwoRequests source(server);
  Poster poster(server.address(), {.connections = kConnections, .reconnect = true}, source);
  poster.run(/*stop=*/true);
  EXPECT_THAT(source.settled(), testing::IsEmpty());
}

}  // namespace
}  // namespace eventhorn::bench
