#include "bin/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::bin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

TEST(BinAnswer, DefaultIsMailguns) {
  const Answer answer = bin_answer(*parse_answer_options(""), 1);
  EXPECT_EQ(answer.response.status, 200);
  EXPECT_EQ(answer.response.body, "{\"message\":\"Post received. Thanks!\"}\n");
  EXPECT_EQ(answer.delay, milliseconds(0));
}

// Reliability A6: nothing a bin answers can run in a browser.
TEST(BinAnswer, IsNeverActiveContent) {
  for (const int status : {200, 204, 302, 404, 503}) {
    AnswerOptions options;
    options.status = status;
    const http::Fields fields = bin_answer(options, 1).response.fields;
    EXPECT_EQ(fields.get("X-Content-Type-Options"), "nosniff");
    EXPECT_THAT(std::string(fields.get("Content-Security-Policy")), StartsWith("sandbox"));
    EXPECT_THAT(std::string(fields.get("Content-Type")), StartsWith("application/json"));
    EXPECT_FALSE(fields.has("Location"));
    EXPECT_FALSE(fields.has("Set-Cookie"));
  }
}

TEST(BinAnswer, TreatsTheFirstRequestsAsAsked) {
  const AnswerOptions options = *parse_answer_options("status=503&delay=1500ms&count=2&other=1");
  EXPECT_EQ(bin_answer(options, 1).response.status, 503);
  EXPECT_EQ(bin_answer(options, 2).response.status, 503);
  EXPECT_EQ(bin_answer(options, 2).delay, milliseconds(1500));
  EXPECT_EQ(bin_answer(options, 3).response.status, 200);
  EXPECT_EQ(bin_answer(options, 3).delay, milliseconds(0));
  EXPECT_EQ(bin_answer(*parse_answer_options("status=503"), 1000).response.status, 503);
}

TEST(BinAnswer, StatusesWithoutContentHaveNone) {
  for (const char* query : {"status=204", "status=205", "status=304"}) {
    EXPECT_EQ(bin_answer(*parse_answer_options(query), 1).response.body, "") << query;
  }
}

TEST(BinAnswer, OfARequestIsWhatItsQueryAsksFor) {
  const SystemClock clock;
  Bins bins(clock, [](size_t n) { return std::string(n, 'x'); }, {});
  const std::string id = bins.create();
  const auto status = [&](const std::string& path) {
    Captured request;
    request.path = path;
    const auto answer = take_request(bins, id, std::move(request));
    return answer ? std::to_string(answer->response.status) : answer.error().message;
  };
  EXPECT_EQ(status("/bin/x"), "200");
  EXPECT_EQ(status("/bin/x?status=503&count=1"), "503");
  EXPECT_EQ(status("/bin/x?status=503&count=1"), "200");
  EXPECT_EQ(status("/bin/x?status=9"), "status: must be from 200 to 599");
  EXPECT_EQ(bins.list(id)->total, 4U);
  const auto missing = take_request(bins, "none", Captured());
  EXPECT_EQ(missing.error().message, "Bin not found");
}

TEST(BinAnswer, OptionsHaveBounds) {
  EXPECT_EQ(parse_answer_options("delay=30")->delay, seconds(30));
  EXPECT_EQ(parse_answer_options("status=599")->status, 599);
  for (const char* bad :
       {"status=199", "status=600", "status=100", "status=", "status=2e2", "delay=31",
        "delay=30001ms", "delay=-1", "delay=", "count=-1", "count=1000001", "status=%zz"}) {
    EXPECT_FALSE(parse_answer_options(bad)) << bad;
  }
  EXPECT_EQ(parse_answer_options("status=700").error().message, "status: must be from 200 to 599");
}

TEST(BinListing, IsJsonWhateverWasSent) {
  Captured text;
  text.method = "POST";
  text.path = "/bin/x?a=\"b\"";
  text.remote_address = "127.0.0.1";
  text.time = from_micros(1'773'222'312'418'237);
  text.fields.add("X-A", "\xff\x01");
  text.body = "{\"n\":1}\n\xe2\x82\xac";
  text.number = 7;
  Captured binary;
  binary.body = "\xfb\xff\xed\xa0\x80";
  binary.truncated = true;
  Listing listing;
  listing.items = {std::make_shared<const Captured>(text),
                   std::make_shared<const Captured>(binary)};
  listing.total = 9;
  const std::string json = listing_json(listing);
  EXPECT_THAT(
      json,
      StartsWith(R"({"items":[{"id":7,"time":"2026-03-11T09:45:12.418Z","method":"POST",)"
                 R"("path":"/bin/x?a=\"b\"","remote_address":"127.0.0.1",)"
                 R"("headers":[["X-A","�\u0001"]],"body":"{\"n\":1}\n€","truncated":false},)"));
  EXPECT_THAT(
      json, HasSubstr(R"("body":"�����","body_base64":"+//toIA=","truncated":true}],"total":9})"));
  EXPECT_EQ(listing_json({}), R"({"items":[],"total":0})");
}

}  // namespace
}  // namespace eventhorn::bin
