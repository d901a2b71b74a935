#include "event/erasure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace eventhorn::event {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const AddressPattern kDana("dana@inbox.example");

std::string normal(std::string_view text) {
  const auto out = normal_address(text);
  return out ? *out : "none";
}

TEST(NormalAddress, HasOneSpelling) {
  EXPECT_EQ(normal("Dana@Inbox.Example"), "dana@inbox.example");
  EXPECT_EQ(normal(" <dana@inbox.example> "), "dana@inbox.example");
  EXPECT_EQ(normal("o'brien+x=y@b.c"), "o'brien+x=y@b.c");
  for (const char* none : {"", "@", "dana", "dana@", "@b.c", "a b@c.d", "a@b,c@d", "Dana <d@e.f>"})
    EXPECT_EQ(normal(none), "none") << none;
  EXPECT_EQ(normal(std::string(250, 'a') + "@b.cd"), "none");
}

TEST(AddressPattern, FindsAnAddressHoweverItStandsThere) {
  for (const char* text : {"dana@inbox.example", "DANA@Inbox.Example", "<dana@inbox.example>",
                           "to dana@inbox.example.", "mailto:dana@inbox.example?x",
                           "https://a.b/?e=dana%40inbox.example&y", "?e%3Ddana%40inbox%2Eexample",
                           "%64ana@inbox.example", "a@b.c,dana@inbox.example;d@e.f",
                           "xdana@inbox.example dana@inbox.example", "dana@inbox.example.\nx"})
    EXPECT_TRUE(kDana.in(text)) << text;
}

TEST(AddressPattern, IsNoPartOfAnotherAddress) {
  for (const char* text :
       {"", "dana", "inbox.example", "jordana@inbox.example", "x.dana@inbox.example",
        "tag+dana@inbox.example", "dana@inbox.example.org", "dana@inbox.examples",
        "dana@inbox.example-x.org", "tag%2Bdana@inbox.example", "dana@inbox%.example",
        "dana@inbox.example%2Eorg",
        "\xc3\xa9"
        "dana@inbox.example"})
    EXPECT_FALSE(kDana.in(text)) << text;
}

TEST(AddressPattern, Replaces) {
  EXPECT_EQ(*kDana.replaced("a dana@inbox.example, Dana%40inbox.example!"),
            "a erased@erased.invalid, erased@erased.invalid!");
  EXPECT_EQ(kDana.replaced("jordana@inbox.example"), std::nullopt);
}

Event event_of(std::string bytes, std::string id = "e1") {
  Event out;
  out.id = std::move(id);
  out.order_key = 7;
  out.bytes = std::move(bytes);
  return out;
}

TEST(Trace, TellsWhoseEventItIs) {
  EXPECT_EQ(find_trace(event_of(R"({"recipient":"Dana@inbox.example"})"), kDana), Trace::kOwn);
  EXPECT_EQ(find_trace(event_of(R"({"recipient":"a@b.c","to":"x <dana@inbox.example>"})"), kDana),
            Trace::kMention);
  EXPECT_EQ(find_trace(event_of(R"({"recipient":"a@b.c"})"), kDana), Trace::kNone);
  EXPECT_EQ(find_trace(event_of(R"({"recipient":"dana\u0040inbox.example"})"), kDana), Trace::kOwn);
  EXPECT_EQ(find_trace(event_of(R"({"a":{"dana@inbox\u002eexample":1}})"), kDana), Trace::kMention);
  EXPECT_EQ(find_trace(event_of(R"({"recipient":"a@b.c"})", "x-dana@inbox.example"), kDana),
            Trace::kNone);
  EXPECT_EQ(find_trace(event_of(R"({"recipient":"a@b.c"})", "x/dana@inbox.example"), kDana),
            Trace::kMention);
}

TEST(Trace, OfAnotherRecipientOnlyTheAddressGoes) {
  const auto out = without_trace(
      event_of(
          R"({"id":"e1","recipient":"a@b.c","to":["dana@inbox.example","q\"<dana@inbox.example>"],)"
          R"("n":1.50,"dana@inbox.example":{"x":[]}})"),
      kDana, Trace::kMention, "new");
  EXPECT_EQ(
      out.bytes,
      R"({"id":"e1","recipient":"a@b.c","to":["erased@erased.invalid","q\"<erased@erased.invalid>"],)"
      R"("n":1.50,"erased@erased.invalid":{"x":[]}})");
  EXPECT_EQ(out.id, "e1");
  EXPECT_EQ(out.order_key, 7U);
}

TEST(Trace, OfOwnEventsLittleIsLeft) {
  const auto out = without_trace(
      event_of(
          R"({"event":"failed","id":"e1","timestamp":1.5,"severity":"permanent","reason":"bounce",)"
          R"("recipient":"dana@inbox.example","recipient-domain":"inbox.example","ip":"1.2.3.4",)"
          R"("tags":["a"],"user-variables":{"name":"Dana"},"message":{"size":5,"headers":)"
          R"({"to":"Dana <dana@inbox.example>","message-id":"m@x","subject":"Hi Dana"}},)"
          R"("delivery-status":{"code":550,"message":"no dana@inbox.example"}})"),
      kDana, Trace::kOwn, "new");
  EXPECT_EQ(
      out.bytes,
      R"({"event":"failed","id":"e1","timestamp":1.5,"severity":"permanent","reason":"bounce",)"
      R"("tags":["a"],"recipient":"erased@erased.invalid","user-variables":{},)"
      R"("message":{"headers":{"message-id":"m@x"}},"delivery-status":{"code":550}})");
  EXPECT_EQ(out.order_key, 0U);
}

TEST(Trace, AnIdThatHasTheAddressIsChanged) {
  const auto out = without_trace(
      event_of(R"({"id":"m/dana@inbox.example","recipient":"a@b.c"})", "m/dana@inbox.example"),
      kDana, Trace::kMention, "erased-1");
  EXPECT_EQ(out.id, "erased-1");
  EXPECT_EQ(out.bytes, R"({"id":"erased-1","recipient":"a@b.c"})");
}

// What ingest looks for is found in whatever it is found by an erasure.
TEST(Trace, AddressesOfAnEventAreFound) {
  const auto all = [](const Event& event) {
    std::set<std::string> out;
    for_each_address_of(event, [&](std::string_view address) { out.emplace(address); });
    return out;
  };
  for (const char* bytes :
       {R"({"recipient":"DANA@inbox.example"})", R"({"to":"x <Dana@inbox.example>."})",
        R"({"url":"https://a/?e=dana%40inbox.example"})", R"({"dana\u0040inbox.example":[1]})",
        R"({"x":["mailto:dana@inbox.example"]})"})
    EXPECT_TRUE(all(event_of(bytes)).contains("dana@inbox.example")) << bytes;
  EXPECT_TRUE(all(event_of(R"({"x":"<o'brien@b.c>"})")).contains("o'brien@b.c"));
  EXPECT_TRUE(all(event_of(R"({"x":"no @ here @"})")).empty());
}

// What is encoded a hundred thousand times is decoded once.
TEST(Erasure, AddressesThatAreEncodedTimeAndAgainCostNoMoreThanOthers) {
  std::string text = "%";
  for (int i = 0; i < 100'000; ++i) text += "25";
  text += "40 a%40b.example";
  std::vector<std::string> found;
  for_each_address(text, [&](std::string_view address) { found.emplace_back(address); });
  EXPECT_EQ(found, std::vector<std::string>{"a@b.example"});
}

}  // namespace
}  // namespace eventhorn::event
