#include "api/positions.h"

#include <gtest/gtest.h>

#include <string>

namespace eventhorn::api {
namespace {

TEST(Positions, AreReadAsTheyWereWritten) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    const NamedPosition named{~value, {value}};
    const auto text = format_position(named);
    EXPECT_EQ(text.size(), 23U);
    const auto read = parse_position("after", text);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, named);
  }
  EXPECT_EQ(format_position({0x0102030405060708, {5}}), "AQECAwQFBgcIAAAAAAAAAAU")
      << "clients keep them: their form does not change";
}

TEST(Positions, RefuseWhatIsNone) {
  const auto good = format_position({7, {5}});
  for (const auto& text : {std::string(), std::string("x"), std::string("1"), good + "A",
                           good.substr(1), "B" + good.substr(1), good + std::string(9000, 'A')}) {
    const auto read = parse_position("after", text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message, "after: must be a position that an answer gave, or 0, or now");
  }
}

TEST(Positions, StandInTheFieldsOfAnAnswer) {
  http::Response response;
  add_position(response, {7, {5}}, from_micros(1'773'219'603'000'042));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Position"), format_position({7, {5}}));
  EXPECT_EQ(response.fields.get("X-Eventhorn-Complete-Until"), "2026-03-11T09:00:03.000042Z");
}

}  // namespace
}  // namespace eventhorn::api
