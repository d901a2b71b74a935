#include "http/basic_auth.h"

#include <gtest/gtest.h>

#include <thread>

namespace eventhorn::http {
namespace {

using namespace std::chrono_literals;

TEST(ParseBasic, TakesUserAndPassword) {
  // "Aladdin:open sesame", the example of RFC 7617 section 2
  auto got = parse_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  ASSERT_TRUE(got);
  EXPECT_EQ(got->user, "Aladdin");
  EXPECT_EQ(got->password, "open sesame");
  EXPECT_TRUE(parse_basic("bAsIc  QWxhZGRpbjpvcGVuIHNlc2FtZQ"));
  got = parse_basic("Basic YXBpOmE6Yjo=");  // "api:a:b:"
  ASSERT_TRUE(got);
  EXPECT_EQ(got->user, "api");
  EXPECT_EQ(got->password, "a:b:");
  got = parse_basic("Basic Og==");  // ":"
  ASSERT_TRUE(got);
  EXPECT_EQ(got->user + got->password, "");
}

TEST(ParseBasic, RefusesTheRest) {
  for (const std::string_view bad :
       {"", "Basic", "Basic ", "BasicQWxhZGRpbjpvcGVu", "Bearer QWxhZGRpbjpvcGVu",
        "Basic QWxhZGRpbg==", "Basic !!!", "Basic YXBpOmE=YXBpOmE=", "Basic YXBpOmEKYg==" /* LF */,
        "Basic YXBpAGE6Yg==" /* NUL */, " Basic Og=="}) {
    EXPECT_FALSE(parse_basic(bad)) << bad;
  }
  std::string longest = "Basic YTph";  // "a:a" and then more 'a's
  while (longest.size() + 4 <= 1024) longest += "YWFh";
  EXPECT_TRUE(parse_basic(longest));
  EXPECT_FALSE(parse_basic(longest + "YWFh"));
}

TEST(AuthLimiter, RefusesUntilTheWindowEnds) {
  FakeClock clock;
  AuthLimiter limiter(clock);
  for (int i = 0; i < 19; ++i) limiter.record_failure("192.0.2.1");
  EXPECT_FALSE(limiter.retry_after("192.0.2.1"));
  clock.advance(10s);
  limiter.record_failure("192.0.2.1");
  EXPECT_EQ(limiter.retry_after("192.0.2.1"), 50s);
  EXPECT_FALSE(limiter.retry_after("192.0.2.2"));
  limiter.record_failure("192.0.2.1");  // failing on does not move the end
  clock.advance(49500ms);
  EXPECT_EQ(limiter.retry_after("192.0.2.1"), 1s);
  clock.advance(500ms);
  EXPECT_FALSE(limiter.retry_after("192.0.2.1"));
  limiter.record_failure("192.0.2.1");
  EXPECT_FALSE(limiter.retry_after("192.0.2.1"));
}

TEST(AuthLimiter, CountsIpv6ByTheSlash64) {
  FakeClock clock;
  AuthLimiter::Options options;
  options.max_failures = 2;
  AuthLimiter limiter(clock, options);
  limiter.record_failure("2001:db8:0:1::1");
  limiter.record_failure("2001:db8:0:1:ffff::2");
  EXPECT_TRUE(limiter.retry_after("2001:db8:0:1::3"));
  EXPECT_FALSE(limiter.retry_after("2001:db8:0:2::1"));
}

TEST(AuthLimiter, ForgetsTheOldestWhenFull) {
  FakeClock clock;
  AuthLimiter::Options options;
  options.max_failures = 1;
  options.max_addresses = 2;
  AuthLimiter limiter(clock, options);
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3"})
    limiter.record_failure(address);
  EXPECT_FALSE(limiter.retry_after("192.0.2.1"));
  EXPECT_TRUE(limiter.retry_after("192.0.2.2"));
  EXPECT_TRUE(limiter.retry_after("192.0.2.3"));
}

TEST(AuthLimiter, CountsFromManyThreads) {
  const SystemClock clock;
  AuthLimiter::Options options;
  options.max_failures = 400;
  options.window = 1h;
  AuthLimiter limiter(clock, options);
  const auto work = [&limiter] {
    for (int i = 0; i < 100; ++i) {
      limiter.record_failure("192.0.2.1");
      limiter.record_failure("192.0.2." + std::to_string(i + 2));
    }
  };
  std::thread a(work), b(work), c(work), d(work);
  for (auto* thread : {&a, &b, &c, &d}) thread->join();
  EXPECT_TRUE(limiter.retry_after("192.0.2.1"));
  EXPECT_FALSE(limiter.retry_after("192.0.2.2"));
}

}  // namespace
}  // namespace eventhorn::http
