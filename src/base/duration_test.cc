#include "base/duration.h"

#include <gtest/gtest.h>

namespace eventhorn {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsEachUnit) {
  EXPECT_EQ(*parse_duration("250ms"), 250ms);
  EXPECT_EQ(*parse_duration("1s"), 1s);
  EXPECT_EQ(*parse_duration("5m"), 5min);
  EXPECT_EQ(*parse_duration("2h"), 2h);
  EXPECT_EQ(*parse_duration("7d"), 168h);
  EXPECT_EQ(*parse_duration("0s"), 0s);
  EXPECT_EQ(*parse_duration("3650d"), kMaxDuration);
}

TEST(Duration, RefusesEverythingElse) {
  for (const char* bad : {"", "5", "m", "ms", "-5m", "+5m", "5 m", " 5m", "5m ", "1.5h", "5M",
                          "5min", "1h30m", "5us"}) {
    const auto result = parse_duration(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().code, Errc::kInvalidArgument);
    EXPECT_NE(result.error().message.find("ms, s, m, h or d"), std::string::npos) << bad;
  }
}

TEST(Duration, RefusesWhatWouldOverflow) {
  for (const char* bad : {"3651d", "87601h", "18446744073709551616s", "99999999999999999999999d"}) {
    const auto result = parse_duration(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_EQ(result.error().message, "duration must be at most 3650d");
  }
}

TEST(Duration, FormatsWithTheLargestUnitThatFits) {
  for (const char* text : {"0s", "1ms", "1500ms", "90s", "5m", "2h", "7d", "25h"}) {
    EXPECT_EQ(format_duration(*parse_duration(text)), text);
  }
  EXPECT_EQ(format_duration(*parse_duration("120m")), "2h");
}

}  // namespace
}  // namespace eventhorn
