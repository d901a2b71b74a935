#include "net.h"

#include <gtest/gtest.h>

namespace eventhorn::bench {
namespace {

TEST(ParseAddress, OnlyLoopbackNumbers) {
  const auto address = parse_address("127.0.0.2:8480");
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->text(), "127.0.0.2:8480");
  for (const char* bad : {"10.0.0.1:80", "0.0.0.0:80", "localhost:80", "127.0.0.1",
                          "127.0.0.1:65536", "127.0.0.1:", ""}) {
    EXPECT_FALSE(parse_address(bad).has_value()) << bad;
  }
}

TEST(ParseTarget, SplitsOffThePath) {
  const auto target = parse_target("http://127.0.0.1:81/hook?a=b");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->address.port, 81);
  EXPECT_EQ(target->path, "/hook?a=b");
  EXPECT_EQ(parse_target("http://127.0.0.1:81")->path, "/");
  EXPECT_FALSE(parse_target("https://127.0.0.1:81/").has_value());
}

TEST(ParseHead, WaitsForTheEmptyLineAndFindsTheLength) {
  const std::string_view text = "POST /hook HTTP/1.1\r\nHost: x\r\ncontent-LENGTH:  12\r\n\r\nbody";
  for (size_t n = 0; n < text.size() - 4; ++n) {
    const auto head = parse_head(text.substr(0, n));
    ASSERT_TRUE(head.has_value());
    EXPECT_FALSE(head->has_value()) << n;
  }
  const auto head = parse_head(text);
  ASSERT_TRUE(head.has_value() && head->has_value());
  EXPECT_EQ((*head)->start_line, "POST /hook HTTP/1.1");
  EXPECT_EQ((*head)->body_at, text.size() - 4);
  EXPECT_EQ((*head)->body_bytes, 12U);
}

TEST(ParseHead, NoLengthIsNoBody) {
  const auto head = parse_head("GET /count HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(head.has_value() && head->has_value());
  EXPECT_EQ((*head)->body_bytes, 0U);
}

TEST(ParseHead, RefusesWhatItCannotFrame) {
  EXPECT_FALSE(parse_head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").has_value());
  EXPECT_FALSE(parse_head("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").has_value());
}

TEST(FindHeader, IgnoresCaseAndTheBody) {
  const std::string_view reply =
      "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3 \r\n\r\nX-Other: 1\r\n";
  EXPECT_EQ(find_header(reply, "retry-after"), "3");
  EXPECT_EQ(find_header(reply, "x-other"), std::nullopt);
}

TEST(ListenAndConnect, PortZeroTakesAFreeOne) {
  const auto listener = listen_on({0x7f000001, 0});
  ASSERT_TRUE(listener.has_value());
  const uint16_t port = local_port(*listener);
  EXPECT_NE(port, 0);
  EXPECT_TRUE(connect_to({0x7f000001, port}).has_value());
  EXPECT_FALSE(listen_on({0x7f000001, port}).has_value());
}

}  // namespace
}  // namespace eventhorn::bench
