#include "search_corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace eventhorn::bench {
namespace {

using testing::ElementsAre;
using testing::Not;
using testing::SizeIs;

constexpr SystemTime kStart{Micros(1'773'222'312'000'000)};
constexpr uint64_t kEvents = 80'000;

std::string event_of(const Corpus& corpus, uint64_t event) {
  std::string out;
  corpus.append_event(event, out);
  return out;
}

int64_t time_of(const std::string& event) {
  const size_t at = event.find("\"timestamp\":") + sizeof "\"timestamp\":" - 1;
  return static_cast<int64_t>(std::stod(event.substr(at)) * 1e6);
}

TEST(Corpus, HalfIsOfTheBigDomainAndTheRestOfAllOthersAlike) {
  std::map<size_t, uint64_t> events;
  for (uint64_t n = 0; n < kEvents; ++n) ++events[Corpus::domain_of(n)];
  ASSERT_THAT(events, SizeIs(1 + Corpus::kSmallDomains));
  EXPECT_EQ(events[0], kEvents / 2);
  for (size_t domain = 1; domain <= Corpus::kSmallDomains; ++domain)
    EXPECT_EQ(events[domain], kEvents / 2 / Corpus::kSmallDomains);
}

TEST(Corpus, EventsNameTheirDomain) {
  const Corpus corpus({kEvents, 1, kStart});
  ASSERT_THAT(corpus.domains(), SizeIs(1 + Corpus::kSmallDomains));
  for (uint64_t n = 0; n < 1000; ++n) {
    const auto& domain = corpus.domains()[Corpus::domain_of(n)];
    EXPECT_TRUE(text_of(event_of(corpus, n), "message-id").ends_with("@" + domain));
  }
}

TEST(Corpus, AFewEventsAreLateAndTheOthersAreSpreadOverTheDays) {
  const Corpus corpus({kEvents, 1, kStart});
  const int64_t start = to_micros(kStart);
  const int64_t spacing = int64_t{Corpus::kDays} * 86'400'000'000 / kEvents;
  uint64_t late = 0;
  for (uint64_t n = 0; n < kEvents; n += 7) {
    const int64_t behind = time_of(event_of(corpus, n)) - start - static_cast<int64_t>(n) * spacing;
    EXPECT_LE(behind, 2'000'000);
    EXPECT_GE(behind, int64_t{-12} * 3'600'000'000);
    if (behind < 0) ++late;
  }
  // Five standard deviations of a share of 2 %.
  EXPECT_NEAR(static_cast<double>(late), kEvents / 7 * 0.02, 75);
}

TEST(Corpus, PicksEventsOfTheBigDomainFromAllOfIt) {
  const Corpus corpus({1000, 1, kStart});
  Random random(1);
  std::set<uint64_t> picked;
  for (int n = 0; n < 10'000; ++n) picked.insert(corpus.pick_of_big_domain(random));
  for (const uint64_t event : picked) EXPECT_EQ(Corpus::domain_of(event), 0U);
  EXPECT_THAT(picked, SizeIs(500));
}

TEST(TextOf, IsTheValueOfTheFirstSuchKey) {
  const std::string event = event_of(Corpus({100, 1, kStart}), 0);
  EXPECT_EQ(text_of(event, "id"), Generator(1, kStart, kDomain).event_id(0));
  EXPECT_EQ(
      text_of(R"({"recipient-domain":"a","recipient":"b","x":{"recipient":"c"}})", "recipient"),
      "b");
  EXPECT_EQ(text_of(R"({"recipient-domain":"a"})", "recipient"), "");
}

TEST(TagsOf, AreBothTags) {
  EXPECT_THAT(tags_of(R"({"event":"opened","tags":["digest","win-back"],"campaigns":["x"]})"),
              ElementsAre("digest", "win-back"));
  EXPECT_THAT(tags_of(event_of(Corpus({100, 1, kStart}), 0)), ElementsAre(Not(""), Not("")));
}

}  // namespace
}  // namespace eventhorn::bench
