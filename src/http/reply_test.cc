#include "http/reply.h"

#include <gtest/gtest.h>

namespace eventhorn::http {
namespace {

Reply give(const Result<int>& step) {
  TRY(const int status, step);
  return message_response(status, "done");
}

Reply give_in_words(const tl::expected<int, Refusal>& step) {
  TRY(const int status, step);
  return message_response(status, "done");
}

TEST(Reply, OfAnErrorHasItsMessageAndTheStatusOfItsKind) {
  const auto reply = give(fail(Errc::kNotFound, "no such thing"));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().answer.status, 404);
  EXPECT_EQ(reply.error().answer.body, message_response(404, "no such thing").body);
  EXPECT_EQ(reply.error().answer.fields.get("Retry-After"), "");
}

TEST(Reply, SaysWhenToTryAgain) {
  for (const auto code : {Errc::kRateLimited, Errc::kTimeout, Errc::kUnavailable}) {
    const Refusal refusal(Error(code, "later"));
    EXPECT_EQ(refusal.answer.fields.get("Retry-After"), "1") << errc_name(code);
  }
}

TEST(Reply, KeepsDetailsOfInternalErrorsBack) {
  for (const auto code : {Errc::kInternal, Errc::kCorruption}) {
    const Refusal refusal(Error(code, "/var/lib/secret"));
    EXPECT_EQ(refusal.answer.status, 500);
    EXPECT_EQ(refusal.answer.body, message_response(500, "internal error").body);
  }
}

TEST(Reply, PassesReadyAnswersOn) {
  const auto reply = give_in_words(fail(text_response(415, "Teapots only")));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().answer.status, 415);
  EXPECT_EQ(reply.error().answer.body, "Teapots only");
}

TEST(Reply, IsTheAnswerOtherwise) {
  const auto reply = give(201);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 201);
}

}  // namespace
}  // namespace eventhorn::http
