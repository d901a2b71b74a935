#include "http_call.h"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <thread>
#include <vector>

namespace eventhorn::bench {
namespace {

/// Answers the requests of one connection with these texts, in parts, then closes it.
class Answering {
 public:
  explicit Answering(std::vector<std::string> answers)
      : fd_(*listen_on({0x7f000001, 0})),
        thread_([this, answers = std::move(answers)] { serve(answers); }) {}

  ~Answering() { ::shutdown(fd_.get(), SHUT_RDWR); }

  Address address() const { return {0x7f000001, local_port(fd_)}; }

 private:
  void serve(const std::vector<std::string>& answers) const {
    int accepted = -1;
    while (accepted < 0) accepted = ::accept(fd_.get(), nullptr, nullptr);
    const Fd connection(accepted);
    for (const auto& answer : answers) {
      std::string request;
      char byte = 0;
      while (!request.ends_with("\r\n\r\n") && ::recv(connection.get(), &byte, 1, 0) == 1)
        request.push_back(byte);
      const size_t half = answer.size() / 2;
      ::send(connection.get(), answer.data(), half, MSG_NOSIGNAL);
      ::send(connection.get(), answer.data() + half, answer.size() - half, MSG_NOSIGNAL);
    }
  }

  Fd fd_;
  std::jthread thread_;
};

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

constexpr const char* kRequest = "GET / HTTP/1.1\r\n\r\n";

TEST(HttpCaller, GivesOneAnswerAfterTheOther) {
  const std::string large(1 << 20, 'x');
  const Answering server({answer("200 OK", "one"), answer("200 OK", large), answer("200 OK", "")});
  HttpCaller caller(server.address());
  EXPECT_EQ(caller.call(kRequest)->body, "one");
  EXPECT_EQ(caller.call(kRequest)->body, large);
  EXPECT_EQ(caller.call(kRequest)->body, "");
}

TEST(HttpCaller, SendsAgainAfter429) {
  const Answering server({answer("429 Too Many Requests", "{}"), answer("200 OK", "now")});
  EXPECT_EQ(HttpCaller(server.address()).call(kRequest)->body, "now");
}

TEST(HttpCaller, TellsASearchThatWasGivenUpFromOtherErrors) {
  const Answering server({answer("503 Service Unavailable", "{}"),
                          answer("400 Bad Request", "narrow begin and end"),
                          answer("400 Bad Request", "no such event"), answer("404 Not Found", "")});
  HttpCaller caller(server.address());
  EXPECT_EQ(caller.call(kRequest).error().code, Errc::kTimeout);
  EXPECT_EQ(caller.call(kRequest).error().code, Errc::kTimeout);
  EXPECT_EQ(caller.call(kRequest).error().code, Errc::kInternal);
  EXPECT_EQ(caller.call(kRequest).error().message, "answered 404: ");
}

TEST(HttpCaller, SaysThatTheConnectionBroke) {
  const Answering server({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nx"});
  EXPECT_EQ(HttpCaller(server.address()).call(kRequest).error().code, Errc::kUnavailable);
}

}  // namespace
}  // namespace eventhorn::bench
