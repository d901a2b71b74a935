#include "api/sealed_token.h"

#include <gtest/gtest.h>

namespace eventhorn::api {
namespace {

constexpr DomainUid kDomain{7};

crypto::HmacKey key() {
  return crypto::HmacKey("secret");
}

TEST(SealedToken, ComesBackAsItWas) {
  std::string bytes;
  put_number(bytes, 2, 1);
  put_number(bytes, UINT64_MAX, 8);
  put_text(bytes, "text", 2);
  const auto opened = open_token(seal_token(bytes, kDomain, key()), kDomain, key());
  ASSERT_TRUE(opened);
  TokenReader in(*opened);
  EXPECT_EQ(in.number(1), 2U);
  EXPECT_EQ(in.number(8), UINT64_MAX);
  EXPECT_EQ(in.text(2), "text");
  EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(SealedToken, HoldsForOneDomainAndKey) {
  const auto token = seal_token("bytes", kDomain, key());
  EXPECT_FALSE(open_token(token, DomainUid{8}, key()));
  EXPECT_FALSE(open_token(token, kDomain, crypto::HmacKey("other")));
  EXPECT_FALSE(open_token(token.substr(1), kDomain, key()));
  const auto refused = open_token("", kDomain, key());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "Invalid page token");
}

TEST(SealedToken, NothingIsReadBeyondTheEnd) {
  TokenReader number("\1\2");
  EXPECT_EQ(number.number(3), 0U);
  EXPECT_FALSE(number.ok());
  TokenReader text("\5abc");
  EXPECT_EQ(text.text(1), "");
  EXPECT_FALSE(text.ok());
}

}  // namespace
}  // namespace eventhorn::api
