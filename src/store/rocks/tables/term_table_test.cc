#include "store/rocks/tables/term_table.h"

#include "store/rocks/table_test_support.h"

#include <gtest/gtest.h>

#include <random>

namespace eventhorn::store {
namespace {

using Postings = std::vector<Posting>;

constexpr event::Term kTerm = 0x0102030405;

std::string version() {
  return big_endian(event::terms_version(), 2);
}

class TermTableTest : public TableTest {
 protected:
  void merge(unsigned width, int64_t period, const Postings& postings, event::Term term = kTerm) {
    const auto value = TermTable::encode(postings, period);
    merge_raw(TermTable::key(kDomain, term, width, period), value);
  }

  void merge_raw(const std::string& key, const std::string& value) {
    write([&](rocksdb::WriteBatch& batch) {
      batch.Merge(database.family(Family::kTerms), key, value);
    });
  }

  Result<Postings> read(unsigned width, int64_t timestamp_us, bool ascending = true) {
    TermTable::Rows rows(table, kDomain, kTerm);
    Postings out;
    if (!rows.seek(width, timestamp_us, ascending)) {
      EXPECT_TRUE(rows.status());
      return out;
    }
    TRY_STATUS(rows.read(out));
    return out;
  }

  TermTable table{database};
};

TEST_F(TermTableTest, KeysSortByTermScopeWidthAndPeriod) {
  EXPECT_EQ(TermTable::key(kDomain, kTerm, 0, (5 << 14) + 17),
            version() + big_endian(kTerm, 5) + "\1d" + '\0' + big_endian(5, 6));
  EXPECT_EQ(TermTable::key(kDomain, kTerm, 7, int64_t{3} << 42),
            version() + big_endian(kTerm, 5) + "\1d" + '\7' + big_endian(3, 2));
  EXPECT_EQ(TermTable::period_of(0, (5 << 14) + 17), 5 << 14);
  EXPECT_EQ(TermTable::period_us(1), 16 * TermTable::period_us(0));
}

TEST_F(TermTableTest, PostingsComeBack) {
  std::mt19937_64 random(7);
  for (const size_t count : {0, 1, 2, 100}) {
    Postings postings;
    for (size_t i = 0; i < count; ++i)
      postings.push_back({kBaseUs + static_cast<int64_t>(random() % 1000), {random() % 100'000}});
    std::ranges::sort(postings);
    Postings out;
    ASSERT_TRUE(TermTable::decode(TermTable::encode(postings, kBaseUs - 5), kBaseUs - 5, out));
    EXPECT_EQ(out, postings);
  }
  EXPECT_EQ(TermTable::encode(Postings{{1000, {3}}, {1200, {2}}}, 1000),
            std::string("\x00\x06\xc8\x01\x01", 5));
}

TEST_F(TermTableTest, BytesOfAnotherFormAreDamaged) {
  const auto whole = TermTable::encode(Postings{{1000, {300}}, {2000, {301}}}, 0);
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    Postings out;
    const auto status = TermTable::decode(whole.substr(0, cut), 0, out);
    if (out.size() == 1 && status) continue;  // cut between two
    ASSERT_FALSE(status) << cut;
    EXPECT_EQ(status.error().code, Errc::kCorruption);
  }
  Postings out;
  EXPECT_FALSE(TermTable::decode(std::string(30, '\xff'), 0, out));
}

TEST_F(TermTableTest, RowsOfAPeriodAreJoined) {
  merge(0, 0, {{10, {1}}, {30, {3}}});
  merge(0, 0, {{20, {2}}, {30, {3}}});
  merge(0, 1 << 14, {{1 << 14, {4}}});
  const Postings all = {{10, {1}}, {20, {2}}, {30, {3}}};
  EXPECT_EQ(*read(0, 5), all);
  compact(Family::kTerms);
  EXPECT_EQ(*read(0, 5), all);
  EXPECT_EQ(count(Family::kTerms), 2U);
  merge(0, 0, {{5, {9}}});
  EXPECT_EQ(read(0, 5)->front(), (Posting{5, {9}}));
}

TEST_F(TermTableTest, WhatIsJoinedToADamagedRowIsDamagedToo) {
  merge(0, 0, {{10, {1}}});
  merge_raw(TermTable::key(kDomain, kTerm, 0, 0), "\xff");
  merge(0, 0, {{20, {2}}});
  for (const bool compacted : {false, true}) {
    if (compacted) compact(Family::kTerms);
    const auto out = read(0, 5);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::kCorruption);
  }
  merge(1, 0, {{10, {1}}});  // the store goes on
  EXPECT_EQ(read(1, 5)->size(), 1U);
}

TEST_F(TermTableTest, RowsAreFoundByTimeInBothDirections) {
  const int64_t period = TermTable::period_us(1);
  merge(1, 2 * period, {{2 * period + 1, {1}}});
  merge(1, 4 * period, {{4 * period + 1, {2}}});
  merge(0, 3 * period, {{3 * period, {3}}});
  merge(2, 0, {{5, {4}}});
  merge(1, 3 * period, {{3 * period, {5}}}, kTerm + 1);
  merge(1, 3 * period, {{3 * period, {6}}}, kTerm - 1);
  const auto at = [&](int64_t us, bool ascending) {
    const auto out = *read(1, us, ascending);
    return out.empty() ? 0 : out[0].position.value;
  };
  EXPECT_EQ(at(0, true), 1U);
  EXPECT_EQ(at(2 * period + 7, true), 1U);
  EXPECT_EQ(at(3 * period, true), 2U);
  EXPECT_EQ(at(5 * period, true), 0U);
  EXPECT_EQ(at(2 * period - 1, false), 0U);
  EXPECT_EQ(at(2 * period, false), 1U);
  EXPECT_EQ(at(3 * period, false), 1U);
  EXPECT_EQ(at(99 * period, false), 2U);
  TermTable::Rows rows(table, kDomain, kTerm);
  EXPECT_EQ(rows.next_width(0), 0U);
  EXPECT_EQ(rows.next_width(1), 1U);
  EXPECT_EQ(rows.next_width(3), TermTable::kWidths);
}

TEST_F(TermTableTest, TheDomainsOfATermAreFoundInOrder) {
  const std::vector<uint64_t> uids = {1, 7, 255, 256, 65'536, 1 << 30};
  for (const uint64_t uid : uids)
    merge_raw(TermTable::key(DomainUid{uid}, kTerm, 0, 0), TermTable::encode(Postings(), 0));
  merge_raw(TermTable::key(DomainUid{9}, kTerm + 1, 0, 0), TermTable::encode(Postings(), 0));
  merge_raw(TermTable::key(TermScope(kOnlyAccount), kTerm, 0, 0), "");
  TermTable::Domains domains(table, kTerm);
  std::vector<uint64_t> found;
  for (auto at = domains.seek({0}); at; at = domains.seek({at->value + 1}))
    found.push_back(at->value);
  EXPECT_EQ(found, uids);
  EXPECT_EQ(domains.seek({200}), DomainUid{255});
  EXPECT_EQ(domains.seek({256}), DomainUid{256});
  EXPECT_TRUE(domains.status());
  EXPECT_EQ(TermTable::Domains(table, kTerm + 2).seek({0}), std::nullopt);
}

TEST_F(TermTableTest, RowsExpireWithTheLastOfTheirEvents) {
  merge(0, 0, {{1, {1}}, {2, {2}}});
  merge(0, 1 << 14, {{1 << 14, {3}}, {(1 << 14) + 1, {1}}});
  floors->events = 3;
  compact(Family::kTerms);
  EXPECT_EQ(read(0, 0)->size(), 2U);
  EXPECT_EQ(count(Family::kTerms), 1U);
}

TEST_F(TermTableTest, RowsOfOtherRulesExpire) {
  auto key = TermTable::key(kDomain, kTerm, 0, 0);
  key[0] = static_cast<char>(key[0] + 1);
  merge_raw(key, TermTable::encode(Postings{{1, {1}}}, 0));
  compact(Family::kTerms);
  EXPECT_EQ(count(Family::kTerms), 0U);
}

}  // namespace
}  // namespace eventhorn::store
