#include "outbound/answer_head.h"

#include <gtest/gtest.h>

namespace eventhorn::outbound {
namespace {

using std::string_literals::operator""s;

int loose_status(const std::string& head) {
  const auto read = read_loose_head(head);
  return read ? read->status : 0;
}

// R10: what has one status in one place is read, whatever else is wrong with it.
TEST(AnswerHead, R10OneStatusIsRead) {
  for (const auto& head :
       {"HTTP/1.1 200\r\n\r\n"s, "HTTP/1.1 200\n\n"s, "HTTP/1.1  200\tOK\n\r\n"s,
        "HTTP/1.9 200 OK\r\n\r\n"s, "HTTP/1.1 200 \x01\0\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nno colon\r\nBad Name: x\r\n : y\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: a\rb\0\r\n\r\n"s, "HTTP/1.1 200 OK\r\nVia: HTTP/1.1 500 x\r\n\r\n"s,
        "HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\nTransfer-Encoding: chunked\n\n"s})
    EXPECT_EQ(loose_status(head), 200) << head;
}

TEST(AnswerHead, R10TwoAnswersAreNone) {
  for (const auto& head :
       {"HTTP/1.1 200 OK\nHTTP/1.1 500 No\r\n\r\n"s, "HTTP/1.1 200 OK\rHTTP/1.1 500 No\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: y\nHTTP/1.0 500 No\n\n"s})
    EXPECT_EQ(loose_status(head), 0) << head;
}

TEST(AnswerHead, R10DamagedStatusLinesAreNone) {
  for (const auto& line :
       {"HTTP/1.1 20 OK"s, "HTTP/1.1 2000 OK"s, "HTTP/1.1 20x OK"s, "HTTP/1.1 200OK"s,
        "HTTP/1.1 +20 OK"s, "HTTP/1.1 000 OK"s, "HTTP/1.1 200\rOK"s, "HTTP/1.1 200\0OK"s,
        "HTTP/1.1\r200 OK"s, "HTTP/1.1"s, "HTTP/1.1 "s, "HTTP/1.1200 OK"s, "HTTP/1.11 200 OK"s,
        "HTTP/1. 200 OK"s, "HTTP/2 200"s, "http/1.1 200 OK"s, " HTTP/1.1 200 OK"s, "200 OK"s,
        ""s}) {
    EXPECT_EQ(loose_status(line + "\r\n\r\n"), 0) << line;
    EXPECT_NE(find_status_line_fault(line + "\n"), nullptr) << line;
  }
}

// A banner is known by its first bytes: it need not end.
TEST(AnswerHead, StatusLineFaultsAreSeenEarly) {
  const std::string line = "HTTP/1.1 200 OK\r\nX";
  for (size_t n = 0; n <= line.size(); ++n)
    EXPECT_EQ(find_status_line_fault(line.substr(0, n)), nullptr) << n;
  for (const auto* banner : {"2", "HTTP/2", "<html", "\r", "HTTX"})
    EXPECT_NE(find_status_line_fault(banner), nullptr) << banner;
}

// The end is found at the same byte, however the head comes in pieces.
TEST(AnswerHead, EndsAtTheFirstEmptyLine) {
  for (const auto& head : {"HTTP/1.1 200 OK\r\n\r\n"s, "HTTP/1.1 200 OK\n\n"s,
                           "HTTP/1.1 200\nA: b\n\r\n"s, "HTTP/1.1 200 OK\r\nA: b\r\n\n"s}) {
    const std::string in = head + "\n\r\n\nbody";
    for (size_t cut = 0; cut <= in.size(); ++cut) {
      const size_t early = find_answer_head_end(in.substr(0, cut), 0);
      EXPECT_EQ(early, cut < head.size() ? 0 : head.size()) << head << cut;
      if (early == 0) {
        EXPECT_EQ(find_answer_head_end(in, cut), head.size()) << head << cut;
      }
    }
  }
}

TEST(AnswerHead, LooseFieldsAreReadWhereTheyAreFields) {
  const auto head =
      read_loose_head("HTTP/1.1 503\nRetry-After : 7\nnonsense\nretry-after:8\r\nLocation: " +
                      std::string(600, 'x') + "\n\n");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->retry_after, (std::vector<std::string>{"7", "8"}));
  EXPECT_EQ(head->location, std::string(512, 'x'));
}

}  // namespace
}  // namespace eventhorn::outbound
