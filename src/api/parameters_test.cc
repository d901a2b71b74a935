#include "api/parameters.h"

#include <gtest/gtest.h>

namespace eventhorn::api {
namespace {

TEST(Parameters, NumbersHaveBounds) {
  EXPECT_EQ(*parse_number("n", "0", 0, 9), 0U);
  EXPECT_EQ(*parse_number("n", "9", 0, 9), 9U);
  for (const auto* bad : {"", "10", "-1", "1.5", " 1", "x", "99999999999999999999"}) {
    const auto number = parse_number("n", bad, 0, 9);
    ASSERT_FALSE(number) << bad;
    EXPECT_EQ(number.error().message, "n: must be a number from 0 to 9");
  }
}

TEST(Parameters, NumbersThatAreNotGivenHaveTheUsualValue) {
  const auto form = *http::parse_query("a=3&b=");
  EXPECT_EQ(*read_number(form, "a", 1, 0, 9), 3U);
  EXPECT_EQ(*read_number(form, "c", 1, 0, 9), 1U);
  EXPECT_FALSE(read_number(form, "b", 1, 0, 9));
}

TEST(Flags, HaveManySpellings) {
  for (const auto* yes : {"yes", "Yes", "true", "TRUE", "1", "on", " yes "})
    EXPECT_EQ(parse_flag("a", yes).value(), std::optional(true)) << yes;
  for (const auto* no : {"no", "NO", "false", "False", "0", "off"})
    EXPECT_EQ(parse_flag("a", no).value(), std::optional(false)) << no;
  EXPECT_EQ(parse_flag("a", " ").value(), std::nullopt);
  for (const auto* other : {"2", "y", "01", "maybe"}) {
    const auto flag = parse_flag("a", other);
    ASSERT_FALSE(flag) << other;
    EXPECT_EQ(flag.error().message, "a: must be yes or no");
  }
}

TEST(Parameters, NamesInErrorsAreOneShortLine) {
  EXPECT_EQ(invalid("a\nb", "is bad").value().message, "a\\nb: is bad");
  EXPECT_LT(invalid(std::string(1000, 'n'), "is bad").value().message.size(), 100U);
}

}  // namespace
}  // namespace eventhorn::api
