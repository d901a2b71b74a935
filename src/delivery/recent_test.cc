#include "delivery/recent.h"

#include <gtest/gtest.h>

namespace eventhorn::delivery {
namespace {

void add(RecentSuccesses& recent, const std::string& url, uint64_t position,
         size_t response_bytes = 0) {
  store::AttemptRow row;
  row.position = {position};
  recent.add(url, row, std::string(response_bytes, 'x'));
}

std::vector<uint64_t> positions(const RecentSuccesses& recent, const std::string& url) {
  std::vector<uint64_t> out;
  for (const auto& row : recent.of(url)) out.push_back(row.position.value);
  return out;
}

TEST(RecentSuccesses, TheLastHundredOfEachUrlNewestFirst) {
  RecentSuccesses recent(1 << 20);
  for (uint64_t i = 0; i < 250; ++i) add(recent, "http://a/", i);
  add(recent, "http://b/", 7);
  const auto a = positions(recent, "http://a/");
  ASSERT_EQ(a.size(), RecentSuccesses::kPerUrl);
  EXPECT_EQ(a.front(), 249U);
  EXPECT_EQ(a.back(), 150U);
  EXPECT_EQ(positions(recent, "http://b/"), std::vector<uint64_t>{7});
  EXPECT_TRUE(recent.of("http://c/").empty());
}

TEST(RecentSuccesses, TheOldestOfAllMakeRoom) {
  RecentSuccesses recent(64 << 10);
  for (uint64_t i = 0; i < 1000; ++i) {
    add(recent, "http://" + std::to_string(i % 40) + "/", i, 1024);
    EXPECT_LE(recent.bytes(), 64U << 10);
  }
  EXPECT_TRUE(!recent.of("http://39/").empty());
  EXPECT_EQ(positions(recent, "http://39/").front(), 999U);
  RecentSuccesses none(0);
  add(none, "http://a/", 1);
  EXPECT_TRUE(none.of("http://a/").empty());
  EXPECT_EQ(none.bytes(), 0U);
}

// What is used again keeps nothing of what it was.
TEST(RecentSuccesses, BytesAreThoseOfWhatIsKept) {
  RecentSuccesses recent(1 << 20);
  for (uint64_t i = 0; i < 100; ++i) add(recent, "http://a/", i, 1024);
  const auto full = recent.bytes();
  for (uint64_t i = 100; i < 300; ++i) add(recent, "http://a/", i, i % 2 == 0 ? 10 : 1024);
  EXPECT_LE(recent.bytes(), full + 100 * 1024);
  EXPECT_EQ(recent.of("http://a/").front().response.size(), 1024U);
  EXPECT_EQ(recent.of("http://a/").at(1).response.size(), 10U);
}

TEST(RecentSuccesses, ForgetsTexts) {
  RecentSuccesses recent(1 << 20);
  store::AttemptRow row;
  recent.add("http://a/", row, "of dana");
  recent.add("http://a/", row, "of others");
  recent.forget([](std::string_view text) { return text.find("dana") != std::string_view::npos; });
  const auto rows = recent.of("http://a/");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].response, "of others");
  EXPECT_EQ(rows[1].response, "");
}

}  // namespace
}  // namespace eventhorn::delivery
