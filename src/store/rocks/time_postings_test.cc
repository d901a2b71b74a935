#include "store/rocks/time_postings.h"

#include "store/rocks/table_test_support.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace eventhorn::store {
namespace {

using Found = std::vector<Posting>;

class TimePostingsTest : public TableTest {
 protected:
  /// Of the n-th domain.
  void add(uint64_t domain, int64_t timestamp_us) {
    const Position position{++last_};
    put(Family::kTimes,
        TimeTable::key({domain}, timestamp_us, fmt::format("e{}", 1'000'000 - last_)),
        TimeTable::encode(position, event::Name::kOpened, {}));
    if (std::ranges::find(domains_, DomainUid{domain}) != domains_.end())
      all_.insert({timestamp_us, position});
  }

  Found walk(bool ascending, int64_t from_us, int64_t to_us) {
    PageQuery query;
    query.ascending = ascending;
    query.last_us = to_us;
    TimePostings postings(times_, domains_, query);
    const Direction direction{ascending};
    Found out;
    EXPECT_TRUE(postings.seek({from_us, {ascending ? 0 : UINT64_MAX}}));
    while (postings.current()) {
      out.push_back(*postings.current());
      EXPECT_TRUE(postings.seek(direction.beyond(out.back())));
    }
    return out;
  }

  Found expected(bool ascending, int64_t from_us, int64_t to_us) const {
    Found out;
    for (const auto& posting : all_) {
      const int64_t us = posting.timestamp_us;
      if (ascending ? us >= from_us && us < to_us : us <= from_us && us > to_us)
        out.push_back(posting);
    }
    if (!ascending) std::ranges::reverse(out);
    return out;
  }

  std::vector<DomainUid> domains_ = {{3}, {4}, {7}};
  std::set<Posting> all_;
  TimeTable times_{database};
  uint64_t last_ = 0;
};

// More than one reading holds, and more of one timestamp than that.
TEST_F(TimePostingsTest, AllEventsOfTheDomainsComeInOrder) {
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i)
    add(3 + random() % 5, kBaseUs + (i % 2 == 0 ? 500 : random() % 1000));
  for (const bool ascending : {true, false}) {
    const int64_t least = kBaseUs + 100;
    const int64_t most = kBaseUs + 900;
    const int64_t from = ascending ? least : most;
    const int64_t to = ascending ? most : least;
    EXPECT_EQ(walk(ascending, from, to), expected(ascending, from, to));
    EXPECT_GT(expected(ascending, from, to).size(), 1000U);
    EXPECT_EQ(walk(ascending, from, from), Found());
  }
}

TEST_F(TimePostingsTest, ASeekLeaps) {
  for (int64_t i = 0; i < 1000; ++i) add(3 + static_cast<uint64_t>(i) % 2, kBaseUs + i);
  PageQuery query;
  query.last_us = INT64_MAX;
  TimePostings postings(times_, domains_, query);
  for (const int64_t us : {0, 1, 100, 101, 700, 999}) {
    ASSERT_TRUE(postings.seek({kBaseUs + us, {0}}));
    EXPECT_EQ(postings.current()->timestamp_us, kBaseUs + us);
  }
  ASSERT_TRUE(postings.seek({kBaseUs + 1000, {0}}));
  EXPECT_EQ(postings.current(), std::nullopt);
  ASSERT_TRUE(postings.seek({kBaseUs + 2000, {0}}));
  EXPECT_EQ(postings.current(), std::nullopt);
}

TEST_F(TimePostingsTest, WithoutDomainsThereIsNothing) {
  domains_.clear();
  add(3, kBaseUs);
  EXPECT_EQ(walk(true, 0, INT64_MAX), Found());
}

}  // namespace
}  // namespace eventhorn::store
