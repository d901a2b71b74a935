#include "base/dates.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "base/strings.h"
#include "base/time.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace eventhorn {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::kInvalidArgument, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  TRY(const int h, half(n));
  TRY(const int q, half(h));
  return q;
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(Strings, Base64UrlHasOneSpellingPerValue) {
  EXPECT_EQ(base64url_encode("\xfb\xff"), "-_8");
  EXPECT_EQ(base64url_decode("-_8"), "\xfb\xff");
  EXPECT_EQ(base64url_decode("-_9"), std::nullopt);
  EXPECT_EQ(base64url_decode("-_8="), std::nullopt);
  EXPECT_EQ(base64url_decode("+/8"), std::nullopt);
  EXPECT_EQ(base64_decode("YXBpOmtleQ=="), "api:key");
  EXPECT_EQ(base64_decode("YXBpOmtleQ"), "api:key");
  EXPECT_EQ(base64_encode("api:key"), "YXBpOmtleQ==");
  EXPECT_EQ(base64_encode("\xfb\xff"), "+/8=");
  EXPECT_EQ(base64_encode("abc"), "YWJj");
  EXPECT_EQ(base64_encode(""), "");
}

TEST(Strings, PercentDecodeRefusesBrokenEscapes) {
  EXPECT_EQ(percent_decode("a%2Fb+c", true), "a/b c");
  EXPECT_EQ(percent_decode("a+b", false), "a+b");
  EXPECT_EQ(percent_decode("a%2", false), std::nullopt);
  EXPECT_EQ(percent_decode("a%zz", false), std::nullopt);
}

// Reliability A9: a value from outside cannot begin a log line of its own.
TEST(Strings, EscapeForLogKeepsOneLine) {
  EXPECT_EQ(escape_for_log("a\r\nb\"c\x7f"), "a\\x0d\\nb\\\"c\\x7f");
  EXPECT_EQ(escape_for_log("abcdef", 3), "abc...");
}

// Reliability A9: not even a value that nobody escaped.
TEST(Log, A9ALineStaysOneLine) {
  ::testing::internal::CaptureStderr();
  log_warn("test", "value={} end", "a\r\n2026-01-01T00:00:00.000Z info forged\x1b[2J\x7f");
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(
      line.find("test value=a\\x0d\\x0a2026-01-01T00:00:00.000Z info forged\\x1b[2J\\x7f end"),
      std::string::npos)
      << line;
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
}

TEST(Strings, ParseUintTakesWholeNumbersOnly) {
  EXPECT_EQ(parse_uint("300"), 300U);
  for (const char* bad : {"", " 1", "-1", "+1", "1.0", "18446744073709551616"}) {
    EXPECT_EQ(parse_uint(bad), std::nullopt) << bad;
  }
}

TEST(Time, FormatsForPeopleAndProtocols) {
  const SystemTime t = from_micros(1'773'222'312'418'237);
  EXPECT_EQ(format_iso8601(t), "2026-03-11T09:45:12.418Z");
  EXPECT_EQ(format_http_date(t), "Wed, 11 Mar 2026 09:45:12 GMT");
}

TEST(Ids, ShardOfADomainNeverChanges) {
  // Written to disk by its effect: a change of these numbers would strand stored events.
  EXPECT_EQ(shard_of("example.org").value, 50);
  EXPECT_LT(shard_of("mg.acme-parcels.example").value, kShards);
}

TEST(Metrics, SameNameAndLabelsAreOneMetric) {
  auto a = metrics::counter("test_total", "help", {{"kind", "x"}});
  auto b = metrics::counter("test_total", "help", {{"kind", "x"}});
  a.add(2);
  b.add();
  EXPECT_EQ(a.value(), 3);
  EXPECT_NE(metrics::render().find("test_total{kind=\"x\"} 3"), std::string::npos);
}

}  // namespace
}  // namespace eventhorn
