#include "json/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace eventhorn::json {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> items_of(std::string_view body, bool ndjson = false) {
  const auto items = split_items(body, ndjson);
  if (!items) return {"error: " + items.error().message};
  return {items->begin(), items->end()};
}

TEST(SplitItems, OneObjectIsOneItemHoweverItIsPrinted) {
  EXPECT_THAT(items_of(R"({"a":1})"), ElementsAre(R"({"a":1})"));
  EXPECT_THAT(items_of("\n {\n  \"a\": [1,\n 2]\n}\n"), ElementsAre("{\n  \"a\": [1,\n 2]\n}"));
  EXPECT_THAT(items_of("\xef\xbb\xbf{}"), ElementsAre("{}"));
}

TEST(SplitItems, TakesTheElementsOfAnArray) {
  EXPECT_THAT(items_of(R"([{"a":[1,{"b":","}]}, {"c":"]\"}"} ,3])"),
              ElementsAre(R"({"a":[1,{"b":","}]})", R"({"c":"]\"}"})", "3"));
  EXPECT_THAT(items_of(" [ ] "), IsEmpty());
}

TEST(SplitItems, TakesTheLinesOfNdjson) {
  EXPECT_THAT(items_of("{\"a\":1}\r\n\r\n{\"b\":2}\n"), ElementsAre(R"({"a":1})", R"({"b":2})"));
  EXPECT_THAT(items_of("broken\n{}", true), ElementsAre("broken", "{}"));
  EXPECT_THAT(items_of("{}", true), ElementsAre("{}"));
}

TEST(SplitItems, ABrokenLineLeavesTheOthersReadable) {
  EXPECT_THAT(items_of("{\"a\":1}\n{\"b\":\"never closed\n{\"c\":3}"),
              ElementsAre(R"({"a":1})", R"({"b":"never closed)", R"({"c":3})"));
}

TEST(SplitItems, ABrokenElementLeavesTheOthersReadable) {
  EXPECT_THAT(items_of("[{\"a\":NaN},{\"b\":\"\xff\"},{} {},{\"c\":3}]"),
              ElementsAre(R"({"a":NaN})", "{\"b\":\"\xff\"}", "{} {}", R"({"c":3})"));
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  EXPECT_THAT(items_of("[" + deep + ",{}]"), ElementsAre(deep, "{}"));
}

TEST(SplitItems, LeavesNothingOut) {
  EXPECT_THAT(items_of("[{},]"), ElementsAre("{}", ""));
  EXPECT_THAT(items_of("[,{}]"), ElementsAre("", "{}"));
  EXPECT_THAT(items_of("[{}]x"), ElementsAre("{}", "x"));
  EXPECT_THAT(items_of("[]x"), ElementsAre("x"));
  EXPECT_THAT(items_of("[{}}]"), ElementsAre("{}}"));
  EXPECT_THAT(items_of(R"([{},{"a":"b},{}])"), ElementsAre("{}", R"({"a":"b},{}])"));
  EXPECT_THAT(items_of("{} {}"), ElementsAre("{} {}"));
}

TEST(SplitItems, RefusesWhatHoldsNoItems) {
  for (const char* body : {"", " \n", "\"a\"", "event=opened", "null", "}"}) {
    const auto items = split_items(body, false);
    ASSERT_FALSE(items) << body;
    EXPECT_EQ(items.error().code, Errc::kInvalidArgument);
  }
}

TEST(SplitItems, RefusesTooManyItems) {
  EXPECT_TRUE(split_items("[1,2]", false, 2));
  EXPECT_TRUE(split_items("{}\n{}", false, 2));
  for (const char* body : {"[1,2,3]", "{}\n{}\n{}", "[1,2]x"}) {
    const auto items = split_items(body, false, 2);
    ASSERT_FALSE(items) << body;
    EXPECT_EQ(items.error().code, Errc::kTooLarge);
    EXPECT_EQ(items.error().message, "body: more than 2 items");
  }
}

}  // namespace
}  // namespace eventhorn::json
