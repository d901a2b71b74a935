#include "client/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::client {
namespace {

using ::testing::HasSubstr;

TEST(Session, SaysWhoIsToBlame) {
  EXPECT_EQ(Session::refused({404, R"({"message":"Domain not found"})"}).code, Exit::kRefused);
  EXPECT_THAT(Session::refused({404, R"({"message":"Domain not found"})"}).message,
              HasSubstr("404: Domain not found"));
  EXPECT_EQ(Session::refused({500, "x"}).code, Exit::kFailed);
  EXPECT_EQ(Session::refused({503, ""}).code, Exit::kFailed);
  EXPECT_EQ(Session::refused({429, ""}).code, Exit::kFailed);
  EXPECT_THAT(Session::refused({401, "Forbidden"}).message, HasSubstr("EVENTHORN_API_KEY"));
  EXPECT_THAT(Session::refused({401, R"({"message":"Invalid private key"})"}).message,
              HasSubstr("401: Invalid private key"))
      << "of a key that is for something else";
  EXPECT_THAT(Session::refused({400, "a\nb"}).message, HasSubstr("a\\nb")) << "one line";
}

TEST(Session, NeedsAServerAndAKey) {
  Session no_key({"http://127.0.0.1:1", ""});
  EXPECT_EQ(no_key.open().error().code, Exit::kUsage);
  Session no_url({"127.0.0.1:1", "k"});
  EXPECT_EQ(no_url.open().error().code, Exit::kUsage);
  Session nobody({"http://127.0.0.1:1", "k"});
  ASSERT_TRUE(nobody.open());
  EXPECT_EQ(nobody.call({"GET", "/"}).error().code, Exit::kNoServer);
}

TEST(PercentEncode, LeavesNothingThatMeansAnything) {
  EXPECT_EQ(percent_encode("a-B.9_~"), "a-B.9_~");
  EXPECT_EQ(percent_encode("dana+x@e/?&=% "), "dana%2Bx%40e%2F%3F%26%3D%25%20");
}

}  // namespace
}  // namespace eventhorn::client
