#include "json/writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace eventhorn::json {
namespace {

using namespace std::string_view_literals;

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

TEST(AppendQuoted, EscapesWhatJsonMustEscape) {
  EXPECT_EQ(quoted("a\"b\\c\n\r\t\b\f\x01\x1f\0/"sv), R"("a\"b\\c\n\r\t\b\f\u0001\u001f\u0000/")");
  EXPECT_EQ(quoted("\x7f Z\xc3\xbcrich \xf0\x9f\x93\xa7"),
            "\"\x7f Z\xc3\xbcrich \xf0\x9f\x93\xa7\"");
  EXPECT_EQ(quoted(""), R"("")");
}

TEST(AppendQuoted, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(quoted("a\xff"
                   "b"),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(quoted("\xc3"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(quoted("\xff\xc3\xbc\""), "\"\xef\xbf\xbd\xc3\xbc\\\"\"");
}

TEST(Writer, PutsCommasWhereTheyBelong) {
  std::string out;
  Writer w(out);
  w.begin_object().key("items").begin_array().value("a").value(std::string("b")).begin_object();
  w.end_object().end_array().key("n").value(-3).key("u").value(~uint64_t{0}).key("t").value(true);
  w.key("z").value(nullptr).key("d").value(0.5).key("r").raw("[1]").key("e").begin_array();
  w.end_array().key("o").value(std::optional("x")).key("no").value(std::optional<int>());
  w.end_object();
  EXPECT_EQ(out, R"({"items":["a","b",{}],"n":-3,"u":18446744073709551615,"t":true,)"
                 R"("z":null,"d":0.5,"r":[1],"e":[],"o":"x","no":null})");
}

TEST(Writer, WritesNullForNumbersJsonDoesNotHave) {
  std::string out;
  Writer(out).begin_array().value(std::numeric_limits<double>::infinity()).end_array();
  EXPECT_EQ(out, "[null]");
}

TEST(Pretty, IndentsByTwoSpaces) {
  EXPECT_EQ(pretty(R"({"a":[1,{"b":"x,\"{:"}],"c":{},"d":[]})"),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,\\\"{:\"\n    }\n  ],\n"
            "  \"c\": {},\n  \"d\": []\n}");
  EXPECT_EQ(pretty("[]"), "[]");
  EXPECT_EQ(pretty("12"), "12");
  std::string out;
  size_t depth = 0;
  for (const char* part : {R"({"a":[)", R"([1,{"b":2}])", ",", "[]", "],", R"("c":)", "{}}"})
    append_pretty(out, part, depth);
  EXPECT_EQ(out, pretty(R"({"a":[[1,{"b":2}],[]],"c":{}})"));
  EXPECT_EQ(depth, 0U);
}

}  // namespace
}  // namespace eventhorn::json
