#include "base/dates.h"

#include <gtest/gtest.h>

namespace eventhorn {
namespace {

using namespace std::chrono_literals;

constexpr SystemTime kMoment{1'773'219'603s};  // Wed, 11 Mar 2026 09:00:03 GMT

TEST(Dates, AreWritten) {
  EXPECT_EQ(format_iso8601(kMoment + 418999us), "2026-03-11T09:00:03.418Z");
  EXPECT_EQ(format_rfc3339(kMoment + 418999us), "2026-03-11T09:00:03.418999Z");
  EXPECT_EQ(format_rfc3339(SystemTime(-1us)), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_http_date(kMoment + 999999us), "Wed, 11 Mar 2026 09:00:03 GMT");
  EXPECT_EQ(format_http_date(SystemTime(0s)), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(format_http_date(SystemTime(951'782'400s)), "Tue, 29 Feb 2000 00:00:00 GMT");
  EXPECT_EQ(format_iso8601(SystemTime(-1us)), "1969-12-31T23:59:59.999Z");
}

TEST(Dates, OfMailAreRead) {
  for (const char* text : {"Wed, 11 Mar 2026 09:00:03 +0000", "11 Mar 2026 09:00:03 GMT",
                           "11 mar 26 09:00:03 Z", "Wednesday, 11 March 2026 10:00:03 +0100",
                           "11 Mar 2026 10:00:03 01:00", "11 Mar 2026 10:00:03  0100",
                           "11 Mar 2026 04:00:03 EST (New York)", "11 Mar 2026 09:00:03"})
    EXPECT_EQ(parse_mail_date(text), kMoment) << text;
  EXPECT_EQ(parse_mail_date("11 Mar 2026 09:00 GMT"), kMoment - 3s);
  for (const char* text :
       {"", "Wed", "11 Mar 2026", "Mit, 11 Mar 2026 09:00:03 GMT", "31 Feb 2026 09:00:03 GMT",
        "11 Mar 2026 24:00:03 GMT", "11 Mar 2026 09:00:03 +0160", "11 Mar 2026 09:00:03 MEZ",
        "11 Mar 2026 9:00:03 GMT"})
    EXPECT_EQ(parse_mail_date(text), std::nullopt) << text;
}

TEST(Dates, OfHttpAreRead) {
  for (const char* text : {"Wed, 11 Mar 2026 09:00:03 GMT", "Wednesday, 11-Mar-26 09:00:03 GMT",
                           "Wed Mar 11 09:00:03 2026"})
    EXPECT_EQ(parse_http_date(text, kMoment), kMoment) << text;
  EXPECT_EQ(parse_http_date("Sun Mar  1 09:00:03 2026", kMoment), kMoment - 240h);
  EXPECT_EQ(parse_http_date("Friday, 11-Mar-77 09:00:03 GMT", kMoment), SystemTime(226'918'803s))
      << "over 50 years ahead is of the century before";
  for (const char* text : {"", "Wed, 11 Mar 2026 09:00:03 +0000", "Wed, 11 mar 2026 09:00:03 GMT",
                           "Wed, 31 Feb 2026 09:00:03 GMT", "Wed, 11 Mar 2026 09:00:03"})
    EXPECT_EQ(parse_http_date(text, kMoment), std::nullopt) << text;
}

}  // namespace
}  // namespace eventhorn
