#include "net/authority.h"

#include <gtest/gtest.h>

namespace eventhorn::net {
namespace {

std::string spelled(std::string_view text) {
  const auto authority = parse_authority(text);
  return authority ? authority->to_string() : "none";
}

TEST(Authority, HasOneSpelling) {
  EXPECT_EQ(spelled("LocalHost."), "localhost");
  EXPECT_EQ(spelled("Hooks.Example.com:8480"), "hooks.example.com:8480");
  EXPECT_EQ(spelled("[2001:DB8:0::1]:443"), "[2001:db8::1]:443");
  EXPECT_EQ(spelled("[::ffff:192.0.2.1]"), "192.0.2.1");
  EXPECT_TRUE(parse_authority("192.0.2.1:1")->is_ip);
  EXPECT_FALSE(parse_authority("192.0.2.1.example")->is_ip);
}

TEST(Authority, MustBeAHost) {
  for (const char* bad :
       {"", "a b", "user@localhost", "localhost:", "localhost:0", "localhost:65536", "localhost:8x",
        "[::1", "[::g]", "::1", ".", "localhost/x", "*.example.com"}) {
    EXPECT_EQ(spelled(bad), "none") << bad;
  }
}

TEST(Authority, OfUrls) {
  EXPECT_EQ(authority_of_url("HTTPS://Host:1/path")->to_string(), "host:1");
  for (const char* bad : {"null", "ftp://host", "http://", "http://user@host", "//host", ""})
    EXPECT_FALSE(authority_of_url(bad)) << bad;
}

}  // namespace
}  // namespace eventhorn::net
