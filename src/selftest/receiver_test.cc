#include "selftest/receiver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace eventhorn::selftest {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class Client {
 public:
  explicit Client(const std::string& url) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const size_t colon = url.rfind(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    ::inet_pton(AF_INET, url.substr(7, colon - 7).c_str(), &address.sin_addr);
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(url.substr(colon + 1))));
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  ~Client() { ::close(fd_); }

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }

  void post(uint64_t number, unsigned life) const {
    const std::string body = "{\"event-data\":{\"user-variables\":{\"selftest-number\":\"" +
                             std::to_string(number) + "\",\"selftest-sent-us\":\"" +
                             std::to_string(monotonic_us()) + "\",\"selftest-life\":\"" +
                             std::to_string(life) + "\"}}}";
    const std::string request =
        "POST /hook HTTP/1.1\r\nHost: x\r\ncontent-length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    ASSERT_EQ(::send(fd_, request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
  }

  /// At least `bytes`, or what came before the connection ended.
  std::string read(size_t bytes) {
    std::string out;
    while (out.size() < bytes) {
      std::array<char, 4096> some{};
      const ssize_t n = ::recv(fd_, some.data(), some.size(), 0);
      error_ = n < 0 ? errno : 0;
      if (n <= 0) break;
      out.append(some.data(), static_cast<size_t>(n));
    }
    return out;
  }

  /// Of the last read; 0 when the connection ended in order.
  int error() const { return error_; }

 private:
  const int fd_;
  bool connected_ = false;
  int error_ = 0;
};

class SelftestReceiver : public testing::Test {
 protected:
  std::unique_ptr<Receiver> start(Behaviour behaviour) {
    auto receiver = Receiver::start(behaviour, 2, life_);
    EXPECT_TRUE(receiver.has_value());
    return *std::move(receiver);
  }

  /// What comes for one event, `bytes` of it at least.
  std::string answer_of(Behaviour behaviour, size_t bytes) {
    const auto receiver = start(behaviour);
    Client client(receiver->url());
    client.post(1, 0);
    return client.read(bytes);
  }

  std::atomic<unsigned> life_ = 0;
};

TEST_F(SelftestReceiver, GoodOneCountsWhatItTakes) {
  const auto receiver = start(Behaviour::kGood);
  Client client(receiver->url());
  for (const uint64_t number : {7, 8, 7}) {
    client.post(number, 0);
    EXPECT_THAT(client.read(1), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
  life_ = 1;
  client.post(9, 0);
  client.read(1);
  const auto counts = receiver->counts();
  EXPECT_EQ(counts.confirmed, 3U);
  EXPECT_EQ(counts.repeated, 1U);
  EXPECT_EQ(counts.delays.size(), 2U) << "a kill came between for one of them";
}

TEST_F(SelftestReceiver, BadOnesAreBad) {
  EXPECT_THAT(answer_of(Behaviour::kFails, 1), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(answer_of(Behaviour::kGone, 1), StartsWith("HTTP/1.1 410 "));
  EXPECT_THAT(answer_of(Behaviour::kTooMany, 1),
              AllOf(StartsWith("HTTP/1.1 429 "), HasSubstr("\r\nRetry-After: 1\r\n")));
  EXPECT_THAT(answer_of(Behaviour::kWrongProtocol, 1), StartsWith("220 "));
  EXPECT_THAT(answer_of(Behaviour::kSlowHead, 5), "HTTP/");
  EXPECT_EQ(answer_of(Behaviour::kCloses, 1), "");
  EXPECT_THAT(answer_of(Behaviour::kRedirects, 1),
              AllOf(StartsWith("HTTP/1.1 307 "), HasSubstr("\r\nLocation: /elsewhere\r\n")));
  EXPECT_EQ(answer_of(Behaviour::kInterim, 1'000'000).substr(0, 13), "HTTP/1.1 103 ");
  EXPECT_EQ(answer_of(Behaviour::kEndlessBody, 1'000'000).substr(0, 15), "HTTP/1.1 200 OK");
}

TEST_F(SelftestReceiver, ResetsAndRefuses) {
  const auto resetting = start(Behaviour::kResets);
  Client reset(resetting->url());
  reset.post(1, 0);
  EXPECT_THAT(reset.read(1), IsEmpty());
  EXPECT_EQ(reset.error(), ECONNRESET);
  EXPECT_FALSE(Client(start(Behaviour::kRefuses)->url()).connected());
}

TEST_F(SelftestReceiver, HealedOnesAreGoodOnNewConnections) {
  const auto failing = start(Behaviour::kFails);
  Client client(failing->url());
  client.post(1, 0);
  EXPECT_THAT(client.read(1), StartsWith("HTTP/1.1 500 "));
  failing->heal();
  EXPECT_THAT(client.read(1), IsEmpty());
  EXPECT_EQ(failing->counts().confirmed, 0U);
  Client again(failing->url());
  again.post(1, 0);
  EXPECT_THAT(again.read(1), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(failing->counts().confirmed, 1U);
}

}  // namespace
}  // namespace eventhorn::selftest
