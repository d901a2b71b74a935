#include "base/text.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace eventhorn {
namespace {

// The words of a text between bars.
std::string words_of(std::string_view text) {
  std::string out = join_words(fold_text(text));
  for (char& c : out) c = c == '\0' ? '|' : c;
  return out;
}

TEST(Text, FoldingForgetsCaseAndEncodingOfAccents) {
  const std::vector<std::vector<std::string>> same = {
      {"Hello", "HELLO", "hello"},
      {"José", "JOSÉ", "jose\u0301", "JOSE\u0301"},
      {"MÜNCHEN", "münchen", "mu\u0308nchen"},
      {"straße", "STRASSE", "STRAẞE"},
      {"Ελλάς", "ΕΛΛΆΣ", "ελλάσ"},
      {"ΐ", "Ϊ́", "ι\u0308\u0301"},
      {"ᾈ", "ἀι"},
      {"Москва", "МОСКВА"},
      {"ﬁle", "FILE"},
      {"\u212b", "å", "A\u030a"},
  };
  for (const auto& group : same) {
    for (const auto& text : group) {
      EXPECT_EQ(fold_text(text), fold_text(group.front())) << text;
      EXPECT_EQ(fold_text(fold_text(text)), fold_text(text)) << text;
    }
  }
  EXPECT_NE(fold_text("jose"), fold_text("josé"));
  EXPECT_EQ(fold_text(""), "");
}

TEST(Text, WhatIsNoUtf8StaysAsItIs) {
  for (const char* bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_EQ(fold_text(std::string("É") + bad + "É"), std::string("é") + bad + "é");
    EXPECT_EQ(words_of(std::string("A") + bad + "B"), "|a|b|");
  }
}

// Of all characters, alone and behind a letter.
TEST(Text, FoldingAgainChangesNothing) {
  for (uint32_t c = 0x80; c < 0x30000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    std::string text = "a";
    if (c >= 0x10000) {
      text += static_cast<char>(0xf0 | (c >> 18));
      text += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    } else if (c >= 0x800) {
      text += static_cast<char>(0xe0 | (c >> 12));
    }
    text += static_cast<char>(c >= 0x800 ? 0x80 | ((c >> 6) & 0x3f) : 0xc0 | (c >> 6));
    text += static_cast<char>(0x80 | (c & 0x3f));
    for (const std::string_view part : {std::string_view(text), std::string_view(text).substr(1)}) {
      const auto folded = fold_text(part);
      ASSERT_EQ(fold_text(folded), folded) << std::hex << c;
    }
  }
}

// Putting so many in order takes ICU many minutes.
TEST(Text, LongRunsOfMarksCostNoMoreThanOthers) {
  std::string text = "a";
  for (const char* mark : {"\u0301", "\u0316"})
    for (int i = 0; i < 260'000; ++i) text += mark;
  const std::string folded = fold_text(text);
  EXPECT_GT(folded.size(), text.size());
  EXPECT_EQ(fold_text(folded), folded);
}

TEST(Text, WordsEndAtEveryOtherCharacter) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Bob <bob@example.com>", "|bob|bob|example|com|"},
      {"“Spring Sale” – 50 % off… now", "|spring|sale|50|off|now|"},
      {"can't a_b 3.14 x2y", "|can|t|a|b|3|14|x2y|"},
      {"L’été—non\u00a0non\u3000oui", "|l|été|non|non|oui|"},
      {"Привет, мир!", "|привет|мир|"},
      {"東京", "|東|京|"},
      {"東京off タワー、ひら", "|東|京|off|タワー|ひ|ら|"},
      {"서울 시청", "|서울|시청|"},
      {"שלום עולם", "|שלום|עולם|"},
      {"ไทย", "|ไ|ท|ย|"},
      {"हिन्दी", "|हिन्दी|"},
      {"a\u0300\u0301b", "|à\u0301b|"},
      {"ａｂｃ１２", "|ａｂｃ１２|"},
      {"٣٤ x", "|٣٤|x|"},
      {"soft\u00adhyphen zero\u200bwidth", "|soft|hyphen|zero|width|"},
  };
  for (const auto& [text, words] : cases) EXPECT_EQ(words_of(text), words) << text;
}

TEST(Text, SignsAreNoWords) {
  for (const char* text :
       {"", " ", "*", "%", "- + $", "€ … “”", "🎉", "❤\ufe0f", "\u0301", "!\u0301", "½", "\xff"}) {
    EXPECT_EQ(words_of(text), "") << text;
  }
}

TEST(Text, ContainsAnythingAnywhere) {
  EXPECT_TRUE(contains("abc", ""));
  EXPECT_TRUE(contains(std::string("\0a\0b\0", 5), std::string("\0b\0", 3)));
  EXPECT_FALSE(contains("", "a"));
  EXPECT_FALSE(contains("aab", "ab "));
}

}  // namespace
}  // namespace eventhorn
