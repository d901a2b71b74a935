#include "generator.h"

#include "base/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>

namespace eventhorn::bench {
namespace {

constexpr SystemTime kStart{std::chrono::seconds(1'773'222'312)};
constexpr uint64_t kSample = 50'000;

std::string event_of(const Generator& generator, uint64_t index) {
  std::string out;
  generator.append_event(index, out);
  return out;
}

/// The text after `"key":"` up to the next quote; empty when the key is absent.
std::string_view text_of(std::string_view event, const std::string& key) {
  const std::string start = "\"" + key + "\":\"";
  const size_t at = event.find(start);
  if (at == std::string_view::npos) return {};
  event.remove_prefix(at + start.size());
  return event.substr(0, event.find('"'));
}

TEST(Generator, SameSeedSameBytesInAnyOrder) {
  const Generator a(7, kStart, kDomain);
  const Generator b(7, kStart, kDomain);
  std::string forward;
  for (uint64_t i = 0; i < 100; ++i) a.append_event(i, forward);
  std::string backward;
  for (uint64_t i = 100; i-- > 0;) backward = event_of(b, i) + backward;
  EXPECT_EQ(forward, backward);
}

TEST(Generator, BytesStayTheSameAcrossVersionsAndMachines) {
  const Generator generator(1, kStart, kDomain);
  EXPECT_EQ(generator.event_id(0), "w4aNbfQCirHoB_eDLLbF-A");
}

TEST(Generator, OtherSeedOtherEvents) {
  const Generator a(1, kStart, kDomain);
  const Generator b(2, kStart, kDomain);
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_NE(a.event_id(i), b.event_id(i));
    EXPECT_NE(event_of(a, i), event_of(b, i));
  }
}

TEST(Generator, SizesAreInRange) {
  const Generator generator(3, kStart, kDomain);
  for (uint64_t i = 0; i < kSample; ++i) {
    const std::string event = event_of(generator, i);
    ASSERT_GE(event.size(), kMinEventBytes) << event;
    ASSERT_LE(event.size(), kMaxEventBytes) << event;
  }
}

TEST(Generator, NamesComeInTheirProportions) {
  const Generator generator(4, kStart, kDomain);
  std::map<std::string, double> seen;
  for (uint64_t i = 0; i < kSample; ++i) {
    const std::string event = event_of(generator, i);
    seen[std::string(text_of(event, "event")) + std::string(text_of(event, "severity"))] +=
        1000.0 / kSample;
  }
  unsigned total = 0;
  for (const auto& share : kMix) {
    std::string key(share.event);
    if (share.kind == Kind::kTemporaryFail) key += "temporary";
    if (share.kind == Kind::kPermanentFail) key += "permanent";
    // Five standard deviations of a binomial share at this sample size; at most 11 of 1000.
    const double p = share.per_mille / 1000.0;
    EXPECT_NEAR(seen[key], share.per_mille, 5000 * std::sqrt(p * (1 - p) / kSample)) << key;
    total += share.per_mille;
  }
  EXPECT_EQ(total, 1000U);
  EXPECT_EQ(seen.size(), kMix.size());
}

TEST(Generator, IdsAreDistinctCanonicalAndPredictable) {
  const Generator generator(5, kStart, kDomain);
  std::set<std::string> ids;
  for (uint64_t i = 0; i < kSample; ++i) {
    const std::string event = event_of(generator, i);
    const std::string id(text_of(event, "id"));
    ASSERT_EQ(id, generator.event_id(i));
    ASSERT_EQ(id.size(), kIdBytes);
    ASSERT_TRUE(base64url_decode(id).has_value()) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), kSample);
}

TEST(Generator, SubjectsUserAgentsAndRecipientsVary) {
  const Generator generator(6, kStart, kDomain);
  std::set<std::string> subjects;
  std::set<std::string> agents;
  std::set<std::string> recipients;
  std::set<std::string> message_ids;
  for (uint64_t i = 0; i < kSample; ++i) {
    const std::string event = event_of(generator, i);
    if (const auto subject = text_of(event, "subject"); !subject.empty()) subjects.emplace(subject);
    if (const auto agent = text_of(event, "user-agent"); !agent.empty()) agents.emplace(agent);
    recipients.emplace(text_of(event, "recipient"));
    message_ids.emplace(text_of(event, "message-id"));
  }
  EXPECT_EQ(subjects.size(), kSubjects);
  EXPECT_EQ(agents.size(), kUserAgents);
  EXPECT_EQ(message_ids.size(), kSample);
  // 50 000 draws from a million repeat about 1 230 times.
  EXPECT_GT(recipients.size(), kSample - 2000);
  EXPECT_LT(recipients.size(), kSample - 500);
}

TEST(Generator, APaceChangesNothingButTheTimes) {
  const std::regex times(R"(\d{10}\.(\d{6}|[0-9a-f]{16}@)|"delivered-at":\d+)");
  const Generator usual(9, kStart, kDomain);
  const Generator slow(9, kStart, kDomain, {std::chrono::seconds(1), 500, std::chrono::hours(1)});
  for (uint64_t i = 0; i < 200; ++i) {
    const auto event = event_of(slow, i);
    EXPECT_NE(event, event_of(usual, i));
    EXPECT_EQ(std::regex_replace(event, times, ""),
              std::regex_replace(event_of(usual, i), times, ""));
  }
}

TEST(Generator, TimestampsHaveAFractionAndFollowTheStart) {
  const Generator generator(8, kStart, kDomain);
  const std::regex shape(R"("timestamp":(\d+)\.(\d{6}),)");
  for (uint64_t i = 0; i < 2000; ++i) {
    const std::string event = event_of(generator, i);
    std::smatch match;
    ASSERT_TRUE(std::regex_search(event, match, shape)) << event;
    EXPECT_NE(match[2], "000000");
    const SystemTime time = from_micros(std::stoll(match[1]) * 1'000'000 + std::stoll(match[2]));
    EXPECT_GE(time, kStart + kSpacing * i);
    EXPECT_LE(time, kStart + kSpacing * i + std::chrono::seconds(2));
  }
}

}  // namespace
}  // namespace eventhorn::bench
