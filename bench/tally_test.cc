#include "tally.h"

#include "base/time.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace eventhorn::bench {
namespace {

std::string post_of(const Generator& generator, uint64_t index) {
  std::string event;
  generator.append_event(index, event);
  event.insert(event.size() - 1,
               R"(,"account":{"id":"5f1c9a2be77d4a0c31b8e6d2"},"domain":{"name":"bench.example"})");
  return fmt::format(
      R"({{"signature":{{"timestamp":"1","token":"t","signature":"s"}},"event-data":{}}})", event);
}

TEST(HashSet, CountsEachValueOnceWhileItGrows) {
  HashSet set;
  Random random(1);
  for (int n = 0; n < 200'000; ++n) EXPECT_TRUE(set.insert(random.next()));
  random = Random(1);
  for (int n = 0; n < 200'000; ++n) EXPECT_FALSE(set.insert(random.next()));
  EXPECT_EQ(set.size(), 200'000U);
}

TEST(FindEventId, IsTheGeneratorsInEveryKindOfEvent) {
  const Generator generator(1, SystemTime(), kDomain);
  for (uint64_t i = 0; i < 2000; ++i)
    EXPECT_EQ(find_event_id(post_of(generator, i)), generator.event_id(i));
}

TEST(FindEventId, SkipsAccountsThatComeFirst) {
  EXPECT_EQ(find_event_id(
                R"({"account":{"id":"5f1c9a2be77d4a0c31b8e6d2"},"id":"w4aNbfQCirHoB_eDLLbF-A"})"),
            "w4aNbfQCirHoB_eDLLbF-A");
  EXPECT_EQ(find_event_id(R"({"id":"short"})"), std::nullopt);
  EXPECT_EQ(find_event_id(R"({"id":"w4aNbfQCirHoB_eDLLbF-A)"), std::nullopt);
}

TEST(Tally, ToldApartRepeatsAndLosses) {
  const Generator generator(1, SystemTime(), kDomain);
  Tally tally({.unique = true});
  EXPECT_EQ(tally.add(post_of(generator, 0), 1'000'000'000), 1U);
  EXPECT_EQ(tally.add(post_of(generator, 0), 1'500'000'000), 2U);
  EXPECT_EQ(tally.add(post_of(generator, 1), 2'000'000'000), 3U);
  EXPECT_EQ(tally.add("no id", 3'000'000'000), 4U);
  EXPECT_EQ(tally.distinct(), 2U);
  EXPECT_EQ(tally.summary(), R"({"posts":4,"distinct":2,"seconds":2.000000,"posts_per_s":2})");
  tally.reset();
  EXPECT_EQ(tally.count(), 0U);
  EXPECT_EQ(tally.distinct(), 0U);
}

TEST(Tally, WritesArrivalsInOrder) {
  const Generator generator(1, SystemTime(), kDomain);
  Tally tally({.arrivals = true});
  tally.add(post_of(generator, 5), 17);
  tally.add(post_of(generator, 4), 18);
  const std::string path =
      testing::TempDir() + "/bench_tally_arrivals." + std::to_string(::getpid());
  ASSERT_TRUE(tally.write_arrivals(path).has_value());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::remove(path.c_str());
  EXPECT_EQ(text.str(), generator.event_id(5) + " 17\n" + generator.event_id(4) + " 18\n");
  EXPECT_FALSE(tally.write_arrivals("/nonexistent/arrivals").has_value());
}

}  // namespace
}  // namespace eventhorn::bench
