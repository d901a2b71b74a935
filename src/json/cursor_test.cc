#include "json/cursor.h"

#include "json/bytes.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

namespace eventhorn::json {
namespace {

std::string check(std::string_view text) {
  Cursor cursor(text);
  cursor.skip();
  cursor.finish();
  return cursor.failed() ? cursor.error().message : "";
}

std::string nested(int levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

const std::vector<std::string> kValid = {"0",
                                         "-0",
                                         "-1.5e+3",
                                         "1E5",
                                         "0.0",
                                         "123456789012345678",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "-123456789012345678901234567890",
                                         std::string(308, '9'),
                                         "1." + std::string(998, '1'),
                                         "1e308",
                                         "1e-400",
                                         "0e999999999999999999999",
                                         "1e-99999999999999999999",
                                         "1e-2147483648",
                                         "0.00001e-9223372036854775808",
                                         "true",
                                         " false ",
                                         "\t\r\nnull\n",
                                         R"("")",
                                         R"("a\"\\\/\b\f\n\r\tA")",
                                         R"("\ud83d\ude00")",
                                         R"("\u0000")",
                                         "\"\xf0\x9f\x93\xa7 \xc3\xbc \x7f\"",
                                         "[]",
                                         "{}",
                                         " [ 1 , [ ] , { } ] ",
                                         R"({"a":{"b":[{"c":null}]},"a":2,"":3})",
                                         R"([{"a":"1234567"},{"b":"12345678"},"123456789"])"};

const std::vector<std::string> kInvalid = {"",
                                           " ",
                                           "{",
                                           "[",
                                           "[1",
                                           "[1,",
                                           "[1,]",
                                           "[,1]",
                                           "[1 2]",
                                           "{\"a\"}",
                                           "{\"a\":}",
                                           "{\"a\":1,}",
                                           "{,\"a\":1}",
                                           "{\"a\":1 \"b\":2}",
                                           "{a:1}",
                                           "{1:2}",
                                           "[1}",
                                           "{\"a\":1]",
                                           "]",
                                           "}",
                                           ",",
                                           ":",
                                           "01",
                                           "-",
                                           "-a",
                                           "+1",
                                           ".5",
                                           "1.",
                                           "1e",
                                           "1e+",
                                           "0x1",
                                           "NaN",
                                           "Infinity",
                                           "-Infinity",
                                           "1e999",
                                           "1e9223372036854775807",
                                           "0.1e2147483647",
                                           "-1e309",
                                           std::string(310, '9'),
                                           "1." + std::string(999, '1'),
                                           "tru",
                                           "True",
                                           "nulll",
                                           "truefalse",
                                           "1 1",
                                           "{}x",
                                           "\"",
                                           "\"a",
                                           "\"\\",
                                           "\"\\\"",
                                           R"("\x")",
                                           R"("\u12")",
                                           R"("\u12g4")",
                                           "\"a\nb\"",
                                           "\"\t\"",
                                           R"("\ud800")",
                                           R"("\udc00")",
                                           R"("\ud800\u0041")",
                                           R"("\ud800\ud800")",
                                           R"("\ud83d\n")",
                                           "'a'",
                                           "\"\xff\"",
                                           "\"\xc0\x80\"",
                                           "\"\xed\xa0\x80\"",
                                           "\"\xc3\"",
                                           "\xef\xbb\xbf{}",
                                           "[1]]",
                                           "/**/1",
                                           "\v1"};

TEST(Cursor, PassesValidText) {
  for (const std::string& text : kValid) EXPECT_EQ(check(text), "") << text;
}

TEST(Cursor, RefusesInvalidText) {
  for (const std::string& text : kInvalid) EXPECT_NE(check(text), "") << text;
}

// What simdjson takes and we do not: single surrogates, which it turns into bytes that are not
// UTF-8 or into something else. What we take and it does not: integers beyond 64 bits.
TEST(Cursor, AgreesWithSimdjson) {
  std::vector<std::string> texts = kValid;
  texts.insert(texts.end(), kInvalid.begin(), kInvalid.end());
  for (const std::string& text : texts) {
    simdjson::dom::parser parser;
    const bool theirs = parser.parse(text).error() == simdjson::SUCCESS;
    const bool ours = check(text).empty();
    const bool looser =
        text.size() > 18 && text.find_first_not_of("-0123456789") == std::string::npos;
    if (ours && !looser) EXPECT_TRUE(theirs) << text;
    const bool stricter = text.find("\\ud") != std::string::npos || text.starts_with("\xef") ||
                          text.size() > kMaxNumberBytes;
    if (!stricter && !looser) EXPECT_EQ(ours, theirs) << text;
  }
}

TEST(Cursor, IntegersBeyond64BitsAreNumbersAlike) {
  for (const auto& [text, integral] :
       std::vector<std::pair<std::string, bool>>{{"9223372036854775807", true},
                                                 {"-9223372036854775808", true},
                                                 {"9223372036854775808", false},
                                                 {"18446744073709551616", false},
                                                 {std::string(308, '9'), false}}) {
    Cursor cursor(text);
    ASSERT_EQ(cursor.kind(), Kind::kNumber);
    const Number number = cursor.number();
    EXPECT_EQ(number.raw, text);
    EXPECT_EQ(number.integral, integral) << text;
  }
  EXPECT_EQ(check(std::string(310, '9')), "invalid json at byte 0: number too large");
  EXPECT_EQ(check("[1." + std::string(999, '0') + "]"),
            "invalid json at byte 1: number of more than 1000 characters");
}

TEST(Cursor, AllowsSixtyFourLevels) {
  EXPECT_EQ(check(nested(64)), "");
  EXPECT_EQ(check(nested(65)), "invalid json at byte 64: nested more than 64 levels deep");
  EXPECT_EQ(check("[" + nested(63) + "," + nested(63) + "]"), "");
  EXPECT_NE(check(nested(100'000)), "");
}

TEST(Cursor, NamesThePlaceOfAnError) {
  EXPECT_EQ(check("[1,x]"), "invalid json at byte 3: expected a value");
  EXPECT_EQ(check(R"({"a" 1})"), "invalid json at byte 5: expected a colon");
  EXPECT_EQ(check("{} {}"), "invalid json at byte 3: text after the value");
}

TEST(Cursor, WalksObjectsAndArrays) {
  Cursor cursor(R"({"a":[1, 2.5,"x\n"],"b\u0041":true})");
  ASSERT_EQ(cursor.kind(), Kind::kObject);
  cursor.enter();
  Text key;
  ASSERT_TRUE(cursor.next_key(key));
  EXPECT_EQ(key.raw, "a");
  EXPECT_FALSE(key.escaped);
  ASSERT_EQ(cursor.kind(), Kind::kArray);
  EXPECT_FALSE(cursor.saw_space());
  cursor.enter();
  ASSERT_TRUE(cursor.next());
  EXPECT_TRUE(cursor.number().integral);
  ASSERT_TRUE(cursor.next());
  ASSERT_EQ(cursor.kind(), Kind::kNumber);
  EXPECT_TRUE(cursor.saw_space());
  const Number number = cursor.number();
  EXPECT_EQ(number.raw, "2.5");
  EXPECT_FALSE(number.integral);
  EXPECT_EQ(to_double(number.raw), 2.5);
  ASSERT_TRUE(cursor.next());
  ASSERT_EQ(cursor.kind(), Kind::kString);
  const Text text = cursor.string();
  EXPECT_EQ(text.raw, R"(x\n)");
  EXPECT_TRUE(text.escaped);
  EXPECT_FALSE(cursor.next());
  ASSERT_TRUE(cursor.next_key(key));
  EXPECT_TRUE(key.escaped);
  EXPECT_EQ(cursor.kind(), Kind::kTrue);
  cursor.skip();
  EXPECT_FALSE(cursor.next_key(key));
  cursor.finish();
  EXPECT_FALSE(cursor.failed());
}

TEST(Cursor, DoesNothingAfterAFailure) {
  Cursor cursor(R"([1,x,"y"])");
  cursor.enter();
  ASSERT_TRUE(cursor.next());
  cursor.skip();
  ASSERT_TRUE(cursor.next());
  EXPECT_EQ(cursor.kind(), Kind::kNone);
  Text key;
  EXPECT_FALSE(cursor.next());
  EXPECT_FALSE(cursor.next_key(key));
  EXPECT_EQ(cursor.string().raw, "");
  EXPECT_EQ(cursor.number().raw, "");
  cursor.enter();
  cursor.finish();
  EXPECT_EQ(cursor.error().message, "invalid json at byte 3: expected a value");
}

TEST(AppendUnescaped, UndoesEveryEscape) {
  std::string out = ">";
  append_unescaped(out, R"(a\"\\\/\b\f\n\r\t\u0041\u00fc\u20AC\ud83d\ude00z)");
  EXPECT_EQ(out, ">a\"\\/\b\f\n\r\tA\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z");
}

TEST(Minify, KeepsTheBytesOfStrings) {
  EXPECT_EQ(minify("{ \"a b\" :\t[ 1 ,\r\n \" \\\" \" ] }"), R"({"a b":[1," \" "]})");
  const std::string long_text = "\"" + std::string(1000, ' ') + "\"";
  EXPECT_EQ(minify(" " + long_text + " "), long_text);
}

}  // namespace
}  // namespace eventhorn::json
