#include "json/reader.h"

#include <gtest/gtest.h>

namespace eventhorn::json {
namespace {

TEST(Parse, ReadsEveryKindOfValue) {
  const auto value = parse(R"( {"s":"a\u00fc\n","i":-9223372036854775808,"d":1.5,"e":1e2,"t":true,
                               "f":false,"n":null,"a":[1,"x",{}],"o":{"k":"v"}} )");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(*value->find("s")->as_string(), "a\xc3\xbc\n");
  EXPECT_EQ(value->find("i")->as_int(), INT64_MIN);
  EXPECT_EQ(value->find("i")->as_double(), -9223372036854775808.0);
  EXPECT_EQ(value->find("d")->as_double(), 1.5);
  EXPECT_EQ(value->find("d")->as_int(), std::nullopt);
  EXPECT_EQ(value->find("e")->as_double(), 100.0);
  EXPECT_EQ(value->find("t")->as_bool(), true);
  EXPECT_EQ(value->find("f")->as_bool(), false);
  EXPECT_TRUE(value->find("n")->is_null());
  ASSERT_EQ(value->find("a")->as_array()->size(), 3U);
  EXPECT_EQ(*value->find("o")->find("k")->as_string(), "v");
  EXPECT_EQ(value->as_object()->front().key, "s");
}

TEST(Parse, GivesNothingForWhatIsNotThere) {
  const auto value = parse(R"({"a":1,"a":2})");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->find("b"), nullptr);
  EXPECT_EQ(value->find("a")->as_int(), 2);
  EXPECT_EQ(value->find("a")->find("x"), nullptr);
  EXPECT_EQ(value->find("a")->as_string(), nullptr);
  EXPECT_EQ(value->find("a")->as_bool(), std::nullopt);
  EXPECT_EQ(value->as_array(), nullptr);
}

TEST(Parse, RefusesBrokenText) {
  for (const char* text : {"", "{", R"({"a":})", "[1,]", "1 2", "nul"}) {
    const auto value = parse(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, Errc::kInvalidArgument);
  }
}

}  // namespace
}  // namespace eventhorn::json
