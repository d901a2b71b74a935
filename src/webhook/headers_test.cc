#include "webhook/headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace eventhorn::webhook {
namespace {

using testing::HasSubstr;

TEST(Headers, OrdinaryFieldsAreAllowed) {
  EXPECT_TRUE(check_custom_header("Authorization", "Bearer abc.def"));
  EXPECT_TRUE(check_custom_header("X-Tenant", "a b \"c\"; d=~"));
  EXPECT_TRUE(check_custom_header("x_1!", ""));
}

TEST(Headers, S12WhatMakesTheRequestCannotBeSet) {
  for (const char* name :
       {"Host", "host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding",
        "CONNECTION", "Expect", "TE", "Trailer", "Upgrade", "Keep-Alive", "Proxy-Authorization",
        "proxy-connection", "User-Agent", "webhook-signature", "Webhook-Id", "X-Mailgun-Sid",
        "Eventhorn-Previous-Signature"}) {
    const auto checked = check_custom_header(name, "x");
    ASSERT_FALSE(checked) << name;
    EXPECT_THAT(checked.error().message, HasSubstr(std::string("headers: ") + name)) << name;
  }
}

TEST(Headers, S11NoFieldHidesAnother) {
  using std::string_literals::operator""s;
  for (const std::string& name :
       {""s, "X Y"s, "X:"s, "X\r\nY"s, "X\n"s, "X\0"s, "\xc3\x9c"s, "X\t"s, "X\x7f"s, "(X)"s}) {
    EXPECT_FALSE(check_custom_header(name, "x")) << name;
  }
  for (const std::string& value : {"a\r\nX-Other: b"s, "a\n"s, "a\rb"s, "a\0b"s, "a\tb"s, "\x7f"s,
                                   "gr\xc3\xbc\xc3\x9f"s, " a"s, "a "s}) {
    EXPECT_FALSE(check_custom_header("X-Secret", value)) << value;
  }
}

TEST(Headers, ValuesAreSecrets) {
  const auto checked = check_custom_header("X-Api-Key", "t0ken\n");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "headers: X-Api-Key: a value must be printable ASCII");
}

TEST(Headers, AllOfThemHaveBounds) {
  std::vector<Header> headers;
  for (size_t i = 0; i < kMaxCustomHeaders; ++i) headers.emplace_back("X-" + std::to_string(i), "");
  EXPECT_TRUE(check_custom_headers(headers));
  headers.emplace_back("X-More", "");
  EXPECT_FALSE(check_custom_headers(headers));
  // "X: " and CR LF are 5 bytes.
  headers = {{"X", std::string(kMaxCustomHeaderBytes - 5, 'v')}};
  EXPECT_TRUE(check_custom_headers(headers));
  headers[0].second += 'v';
  EXPECT_FALSE(check_custom_headers(headers));
  headers = {{"X-A", "1"}, {"x-a", "2"}};
  EXPECT_FALSE(check_custom_headers(headers));
  headers = {{"Host", "x"}};
  EXPECT_FALSE(check_custom_headers(headers));
}

TEST(Headers, S11ValuesOfEventsAreEncoded) {
  std::string out;
  append_header(out, "webhook-id", "a%b\r\nX-Other: c\xc3\xbc");
  append_header(out, "webhook-timestamp", "1");
  EXPECT_EQ(out, "webhook-id: a%b%0D%0AX-Other: c%C3%BC\r\nwebhook-timestamp: 1\r\n");
}

}  // namespace
}  // namespace eventhorn::webhook
