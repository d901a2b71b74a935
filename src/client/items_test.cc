#include "client/items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eventhorn::client {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Outcome {
  std::vector<std::string> items;
  std::vector<size_t> lines;
  std::vector<bool> ids;
  std::vector<std::string> broken;  // "line: why"
};

Outcome read(std::string_view file, size_t piece = SIZE_MAX, size_t max_item = 200) {
  Outcome out;
  ItemReader reader(
      max_item,
      [&](Item item) {
        out.items.push_back(item.text);
        out.lines.push_back(item.line);
        out.ids.push_back(item.has_id);
      },
      [&](size_t line, const std::string& why) {
        out.broken.push_back(std::to_string(line) + ": " + why);
      });
  while (!file.empty()) {
    reader.feed(file.substr(0, piece));
    file.remove_prefix(std::min(piece, file.size()));
  }
  reader.finish();
  return out;
}

constexpr const char* kA = R"({"event":"opened","id":"a"})";
constexpr const char* kB = R"({"event":"opened","id":"b"})";

TEST(Items, OfEveryFormThatPeopleHave) {
  const std::string a = kA;
  const std::string b = kB;
  const std::vector<std::string> files = {
      a + "\n" + b + "\n",
      a + "\r\n\r\n" + b,
      "[" + a + "," + b + "]",
      "[\n" + a + ",\n" + b + "\n]\n",
      R"({"items":[)" + a + "," + b + R"(],"paging":{"next":"x","items":[{"event":"not"}]}})",
      R"({"paging":{"next":"x"},"items":[)" + a + "]}\n" + R"({"items":[]}{"items":[)" + b + "]}",
      R"([{"items":[)" + a + R"(]},{"items":[)" + b + "]}]",
      R"({"signature":{"token":"x"},"event-data":)" + a + "}\n" + R"({"event-data":)" + b +
          R"(,"signature":{"event-data":{}}})",
      "{ \"event\" : \"opened\",\n  \"id\" : \"a\"\n}\n\n{\"event\":\n\"opened\",\"id\":\"b\"}",
      a + b};
  for (const auto& file : files) {
    for (const size_t piece : {size_t{1}, size_t{7}, file.size()}) {
      const auto got = read(file, piece);
      EXPECT_THAT(got.items, ElementsAre(a, b)) << file;
      EXPECT_THAT(got.broken, IsEmpty()) << file;
      EXPECT_THAT(got.ids, ElementsAre(true, true));
    }
  }
}

TEST(Items, NothingIsMistakenForAList) {
  const std::string event = R"({"event":"opened","items":[{"a":1}],"event-data":{"b":"}"}})";
  EXPECT_THAT(read(event).items, ElementsAre(event));
  const std::string deep = R"({"x":{"items":[{"a":1}]},"y":["items",[{"a":2}]]})";
  EXPECT_THAT(read(deep).items, ElementsAre(deep));
  const std::string strings = R"({"a":"x\"},{","b":"\\","c":" [ "})";
  EXPECT_THAT(read(strings).items, ElementsAre(strings));
}

TEST(Items, TellWhetherTheyHaveAnId) {
  const auto got = read(R"([{"id":null},{"x":{"id":1}},{"x":"id"},{"id": "a"}])");
  EXPECT_THAT(got.ids, ElementsAre(false, false, false, true));
}

TEST(Items, TellWhereTheyBegin) {
  EXPECT_THAT(read("\n" + std::string(kA) + "\n\n[\n" + kB + "]").lines, ElementsAre(2, 5));
}

// A file that was cut off, or to which two have written, loses what is broken.
TEST(Items, WhatIsBrokenCostsItselfAlone) {
  const std::string b = kB;
  auto got = read("{\"event\":\"ope\n" + b);
  EXPECT_THAT(got.items, ElementsAre(b));
  EXPECT_THAT(got.broken, ElementsAre("1: a line ends within a string"));
  got = read("{\"event\":\"opened\"\n" + b);
  EXPECT_THAT(got.items, ElementsAre(b));
  EXPECT_THAT(got.broken, ElementsAre("1: a comma is missing, or its end"));
  got = read("{\"event\" \"opened\" {}\n" + b);
  EXPECT_THAT(got.items, ElementsAre(b));
  got = read("what is this\n" + b + "\n17\n");
  EXPECT_THAT(got.items, ElementsAre(b));
  EXPECT_THAT(got.broken, ElementsAre("1: no event: it must be a JSON object",
                                      "3: no event: it must be a JSON object"));
  EXPECT_THAT(read(b + "\n{\"event\":").broken, ElementsAre("2: the file ends within an event"));
  EXPECT_THAT(read("[" + b).broken, ElementsAre("1: the file ends within a list"));
  EXPECT_THAT(read("[" + b + "]]\n" + b).items, ElementsAre(b, b));
}

TEST(Items, AreBounded) {
  const std::string large = R"({"x":")" + std::string(1000, 'x') + "\"}";
  const auto got = read(large + kB, 13, 100);
  EXPECT_THAT(got.items, ElementsAre(kB));
  EXPECT_THAT(got.broken, ElementsAre("1: larger than 100 bytes"));
  EXPECT_THAT(read(std::string(100, '[')).broken,
              ElementsAre("1: no event: it must be a JSON object"));
}

}  // namespace
}  // namespace eventhorn::client
