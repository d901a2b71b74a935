#include "api/event_range.h"

#include <gtest/gtest.h>

#include <string>

namespace eventhorn::api {
namespace {

// Wed, 11 Mar 2026 09:45:12.25 UTC
constexpr int64_t kNowUs = 1'773'222'312'250'000;
// Fri, 13 Nov 2015 15:11:49 UTC
constexpr int64_t kFridayUs = 1'447'427'509'000'000;
constexpr int64_t kSecondUs = 1'000'000;

// "from..to up|down", or the error.
std::string range_of(std::string_view begin, std::string_view end, std::string_view ascending) {
  const auto range = parse_event_range(begin, end, ascending, from_micros(kNowUs));
  if (!range) return range.error().message;
  return std::to_string(range->from_us) + ".." + std::to_string(range->to_us) +
         (range->ascending ? " up" : " down");
}

std::string range_text(int64_t from_us, int64_t to_us, const char* direction) {
  return std::to_string(from_us) + ".." + std::to_string(to_us) + " " + direction;
}

// The microsecond that `begin` is read as; -1 when it is refused.
int64_t read_date(std::string_view text) {
  const auto range = parse_event_range(text, "", "yes", from_micros(kNowUs));
  if (!range) {
    EXPECT_EQ(range.error().message,
              "Invalid date: begin must be an RFC 2822 date or seconds since the epoch, from 1970 "
              "to 2100");
    EXPECT_EQ(range.error().code, Errc::kInvalidArgument);
    return -1;
  }
  return range->from_us;
}

TEST(EventRange, ReadsMailDates) {
  for (const char* text :
       {"Fri, 13 Nov 2015 15:11:49 UTC",         "Fri, 13 Nov 2015 15:11:49 +0000",
        "Fri, 13 Nov 2015 15:11:49 -0000",       "13 Nov 2015 15:11:49 GMT",
        "fri, 13 NOV 2015 15:11:49 ut",          "Fri,13 Nov 2015 15:11:49 Z",
        "  Fri,  13 Nov  2015 15:11:49  +0000 ", "Fri, 13 Nov 2015 15:11:49 +0000 (UTC)",
        "Fri, 13 Nov 2015 16:11:49 +0100",       "Fri, 13 Nov 2015 16:11:49  0100",
        "Fri, 13 Nov 2015 09:41:49 -0530",       "Fri, 13 Nov 2015 10:11:49 EST",
        "Fri, 13 Nov 2015 07:11:49 PST",         "Fri, 13 Nov 2015 15:11:49",
        "Fri, 13 Nov 15 15:11:49 +0000",         "Fri, 13 Nov 115 15:11:49 +0000",
        "Fri, 13 Nov 2015 16:11:49 +01:00",      "Fri, 13 Nov 2015 09:41:49 -05:30",
        "Fri, 13 Nov 2015 16:11:49  01:00",      "Friday, 13 November 2015 15:11:49 UTC",
        "FRIDAY, 13 november 15 15:11:49 A"}) {
    EXPECT_EQ(read_date(text), kFridayUs) << text;
  }
  EXPECT_EQ(read_date("Fri, 13 Nov 2015 15:11 UTC"), kFridayUs - 49 * kSecondUs);
  EXPECT_EQ(read_date("Mon, 2 Jan 2006 15:04:05 -0700"),
            1'136'239'445 * kSecondUs);  // Go: one-digit day
  EXPECT_EQ(read_date("Sat, 29 Feb 2020 23:59:60 UTC"),
            1'583'020'800 * kSecondUs);  // leap day, leap second
  EXPECT_EQ(read_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(read_date("Thu, 01 Jan 70 00:00:00 GMT"), 0);
  EXPECT_EQ(read_date("Fri, 31 Dec 2100 23:59:59 GMT"), kOpenEndUs - kSecondUs);
}

TEST(EventRange, ReadsEpochSecondsToTheMicrosecond) {
  EXPECT_EQ(read_date("1447427509"), kFridayUs);
  EXPECT_EQ(read_date("1447427509.0"), kFridayUs);
  EXPECT_EQ(read_date("1.447427509123E9"), kFridayUs + 123'000);  // Java's Double.toString
  EXPECT_EQ(read_date("0"), 0);
  for (const int64_t us : {int64_t{1}, int64_t{123'456}, int64_t{999'999}}) {
    for (const int64_t second : {int64_t{946'684'800}, int64_t{1'447'427'509},
                                 int64_t{2'147'483'647}, int64_t{4'133'980'799}}) {
      std::string fraction = std::to_string(us);
      fraction.insert(0, 6 - fraction.size(), '0');
      EXPECT_EQ(read_date(std::to_string(second) + "." + fraction), second * kSecondUs + us)
          << second << " " << us;
    }
  }
}

TEST(EventRange, RefusesOtherDates) {
  for (const char* text : {"yesterday",
                           "-1",
                           "nan",
                           "inf",
                           "1e99",
                           "4133980800",
                           "4133980799.9999999",
                           "1447427509123",
                           "1447427509 x",
                           "0x10",
                           "2015-11-13",
                           "Fri, 13 Nov 2015",
                           "Xyz, 13 Nov 2015 15:11:49 UTC",
                           ", 13 Nov 2015 15:11:49 UTC",
                           "Fri, 31 Nov 2015 15:11:49 UTC",
                           "Fri, 0 Nov 2015 15:11:49 UTC",
                           "Fri, 013 Nov 2015 15:11:49 UTC",
                           "Fri, 13 Now 2015 15:11:49 UTC",
                           "Fri, 13 Nov 5 15:11:49 UTC",
                           "Fri, 13 Novem 2015 15:11:49 UTC",
                           "Fri, 13 Nov 2015 24:11:49 UTC",
                           "Fri, 13 Nov 2015 15:60:49 UTC",
                           "Fri, 13 Nov 2015 15:11:61 UTC",
                           "Fri, 13 Nov 2015 5:11:49 UTC",
                           "Fri, 13 Nov 2015 15:11:49 +01:60",
                           "Fri, 13 Nov 2015 15:11:49 +010:0",
                           "Fri, 13 Nov 2015 15:11:49 J",
                           "Fri, 13 Nov 2015 15:11:49 +0160",
                           "Fri, 13 Nov 2015 15:11:49 +-100",
                           "Fri, 13 Nov 2015 15:11:49 XST",
                           "Fri, 13 Nov 2015 15:11:49 UTC x",
                           "Wed, 31 Dec 1969 23:59:59 UTC",
                           "Thu, 01 Jan 1970 00:00:00 +0100",
                           "Fri, 31 Dec 2100 23:59:59 -0100",
                           "Sat, 01 Jan 2101 00:00:00 UTC",
                           "Fri, 13 Nov -015 15:11:49 UTC"}) {
    EXPECT_EQ(read_date(text), -1) << text;
  }
  EXPECT_EQ(
      range_of("1447427509", "soon", ""),
      "Invalid date: end must be an RFC 2822 date or seconds since the epoch, from 1970 to 2100");
}

TEST(EventRange, TakesTheDirectionFromBeginAndEnd) {
  for (const char* ascending : {"", "yes", "TRUE"})
    EXPECT_EQ(range_of("100", "200", ascending), "100000000..200000000 up");
  // (end, begin]
  for (const char* ascending : {"", "no", "False"})
    EXPECT_EQ(range_of("200", "100", ascending), "100000001..200000001 down");
}

TEST(EventRange, IsOpenWithoutEnd) {
  EXPECT_EQ(range_of("100", "", "yes"), range_text(100 * kSecondUs, kOpenEndUs, "up"));
  EXPECT_EQ(range_of("100", "", "no"), "0..100000001 down");
  EXPECT_EQ(range_of("100", "", ""), "0..100000001 down");
}

TEST(EventRange, BeginsNowByDefault) {
  const int64_t second_end_us = kNowUs - 250'000 + kSecondUs;
  EXPECT_EQ(range_of("", "", ""), range_text(0, second_end_us, "down"));
  EXPECT_EQ(range_of(" ", "", "no"), range_text(0, second_end_us, "down"));
  EXPECT_EQ(range_of("", "100", ""), range_text(100 * kSecondUs + 1, second_end_us, "down"));
  EXPECT_EQ(range_of("", "", "yes"), range_text(kNowUs, kOpenEndUs, "up"));
  EXPECT_EQ(range_of("", "1800000000", ""), range_text(kNowUs, 1'800'000'000 * kSecondUs, "up"));
}

TEST(EventRange, RefusesContradictionsInMailgunsWords) {
  const char* const friday = "Fri, 13 Nov 2015 15:11:49 UTC";
  EXPECT_EQ(range_of(friday, friday, "yes"),
            "Inconsistent range: begin=2015-11-13 15:11:49+00:00, end=2015-11-13 15:11:49+00:00, "
            "ascending=True");
  EXPECT_EQ(range_of(friday, "1447427509", ""),
            "Inconsistent range: begin=2015-11-13 15:11:49+00:00, end=2015-11-13 15:11:49+00:00, "
            "ascending=None");
  EXPECT_EQ(range_of(friday, "1447427509.0625", "no"),
            "Inconsistent range: begin=2015-11-13 15:11:49+00:00, end=2015-11-13 "
            "15:11:49.062500+00:00, ascending=False");
  EXPECT_EQ(range_of("", "100", "yes"),
            "Inconsistent range: begin=2026-03-11 09:45:12.250000+00:00, end=1970-01-01 "
            "00:01:40+00:00, ascending=True");
}

TEST(EventRange, RefusesOtherFlags) {
  EXPECT_EQ(range_of("100", "200", "maybe"), "ascending: must be yes or no");
  EXPECT_EQ(range_of("100", "200", "1"), "100000000..200000000 up");
}

}  // namespace
}  // namespace eventhorn::api
