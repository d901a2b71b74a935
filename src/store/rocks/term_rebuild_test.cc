#include "store/rocks/term_rebuild.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

namespace eventhorn::store {
namespace {

class TermRebuildTest : public TableTest {
 protected:
  void put_events(uint64_t first, uint64_t last) {
    write([&](rocksdb::WriteBatch& batch) {
      for (uint64_t i = first; i <= last; ++i) {
        auto event = make_event("e" + std::to_string(i), kBaseUs + static_cast<int64_t>(i));
        event.event.bytes = R"({"event":"opened"})";
        EXPECT_TRUE(log.put({i}, event, {}, batch));
      }
    });
  }

  /// Of events with one term: as many as of the account.
  size_t postings() const {
    std::vector<Posting> domain;
    std::vector<Posting> account;
    for (const auto& [key, value] : raw(Family::kTerms)) {
      const auto term = event::name_term(event::Name::kDelivered);
      const bool all = key.starts_with(TermTable::prefix(TermScope(kOnlyAccount), term));
      EXPECT_TRUE(TermTable::decode(value, 0, all ? account : domain));
    }
    EXPECT_EQ(account.size(), domain.size());
    return domain.size();
  }

  NumberTable numbers{database};
  LogTable log{database};
};

TEST_F(TermRebuildTest, ANewStoreNeedsNone) {
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load(kNoPosition));
  EXPECT_TRUE(rebuild.done());
  EXPECT_FALSE(rebuild.step());
  TermRebuild again({database, numbers, log, *floors});
  ASSERT_TRUE(again.load({500}));
  EXPECT_TRUE(again.done()) << "what was indexed since then has its terms";
}

TEST_F(TermRebuildTest, EventsOfAnOlderStoreGetTheirTermsStepByStep) {
  const uint64_t last = TermRebuild::kAtOnce + 100;
  put_events(1, last + 50);
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load({last}));
  EXPECT_FALSE(rebuild.done());
  EXPECT_TRUE(rebuild.step());
  EXPECT_EQ(postings(), TermRebuild::kAtOnce);
  EXPECT_FALSE(rebuild.done());

  TermRebuild restarted({database, numbers, log, *floors});
  ASSERT_TRUE(restarted.load({last + 50}));
  EXPECT_FALSE(restarted.step());
  EXPECT_TRUE(restarted.done());
  EXPECT_EQ(postings(), last);
}

TEST_F(TermRebuildTest, TheIndexIsMadeAnewWhateverItWas) {
  put_events(1, 50);
  put(Family::kTerms, TermTable::key(kDomain, 7, 0, kBaseUs), "\xff");
  ASSERT_TRUE(database->Flush({}, database.family(Family::kTerms)).ok());
  write([&](rocksdb::WriteBatch& batch) { numbers.put(NumberTable::kIndexedThrough, 40, batch); });
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load({40}));
  ASSERT_FALSE(rebuild.step());
  ASSERT_TRUE(rebuild.done());
  ASSERT_TRUE(rebuild.begin_anew());
  EXPECT_EQ(rebuild.left(), 40U);
  EXPECT_EQ(count(Family::kTerms), 0U);
  EXPECT_FALSE(rebuild.step());
  EXPECT_EQ(postings(), 40U);
  TermRebuild again({database, numbers, log, *floors});
  ASSERT_TRUE(again.load({50}));
  EXPECT_TRUE(again.done());
}

TEST_F(TermRebuildTest, WhatRetentionDroppedNeedsNone) {
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load({10}));
  EXPECT_FALSE(rebuild.done());
  floors->events = 11;
  EXPECT_FALSE(rebuild.step());
  EXPECT_TRUE(rebuild.done());
}

// Going back to an earlier version of the program: the index of then lacks what came since.
TEST_F(TermRebuildTest, MarksOfOtherVersionsAreForgotten) {
  put_events(1, 5);
  const std::string old("t\0\1", 3);
  write([&](rocksdb::WriteBatch& batch) { numbers.put(old, 3, batch); });
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load({5}));
  EXPECT_EQ(*numbers.load(old), std::nullopt);
  EXPECT_EQ(rebuild.left(), 5U);
}

TEST_F(TermRebuildTest, AStepIsBoundedByBytes) {
  write([&](rocksdb::WriteBatch& batch) {
    for (uint64_t i = 1; i <= 5; ++i) {
      auto event = make_event("e", kBaseUs);
      event.event.bytes = R"({"event":"opened","pad":")" + std::string(6 << 20, 'x') + "\"}";
      EXPECT_TRUE(log.put({i}, event, {}, batch));
    }
  });
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load({5}));
  EXPECT_TRUE(rebuild.step());
  EXPECT_GT(rebuild.left(), 0U);
  while (rebuild.step()) {
  }
  EXPECT_EQ(postings(), 5U);
}

TEST_F(TermRebuildTest, ADamagedEventIsLeftOut) {
  put_events(1, 5);
  put(Family::kLog, LogTable::key({3}), "damaged");
  TermRebuild rebuild({database, numbers, log, *floors});
  ASSERT_TRUE(rebuild.load({5}));
  EXPECT_FALSE(rebuild.step());
  EXPECT_TRUE(rebuild.done());
  EXPECT_EQ(postings(), 4U);
}

}  // namespace
}  // namespace eventhorn::store
