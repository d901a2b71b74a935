#include "outbound/blocking_client.h"

#include <gtest/gtest.h>

namespace eventhorn::outbound {
namespace {

std::string parsed(std::string_view url) {
  const auto out = ServerAddress::parse(url);
  if (!out) return "none";
  return (out->tls ? "tls " : "plain ") + out->host + " " + out->port + " " + out->prefix;
}

TEST(ServerAddress, IsWhatPeopleWrite) {
  EXPECT_EQ(parsed("http://127.0.0.1:8480"), "plain 127.0.0.1 8480 ");
  EXPECT_EQ(parsed("http://127.0.0.1:8480/"), "plain 127.0.0.1 8480 ");
  EXPECT_EQ(parsed("https://events.example.org"), "tls events.example.org 443 ");
  EXPECT_EQ(parsed("https://example.org/events/"), "tls example.org 443 /events");
  EXPECT_EQ(parsed("http://[::1]:80"), "plain ::1 80 ");
  for (const char* none : {"", "127.0.0.1:8480", "ftp://a.org", "http://", "http://a b",
                           "http://a/?x", "http://a.org:0", "http://u:p@a.org"})
    EXPECT_EQ(parsed(none), "none") << none;
}

TEST(BlockingClient, TellsThatThereIsNoServer) {
  BlockingClient client(*ServerAddress::parse("http://127.0.0.1:1"), "key");
  const auto head = client.send({"GET", "/"});
  ASSERT_FALSE(head);
  EXPECT_EQ(head.error().code, Errc::kUnavailable);
  EXPECT_TRUE(client.is_unreachable());
}

}  // namespace
}  // namespace eventhorn::outbound
