#include "store/rocks/term_index.h"

#include "store/store_test_support.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace eventhorn::store {
namespace {

using Found = std::vector<Posting>;

class TermIndexTest : public testing::Test {
 protected:
  void add(int64_t timestamp_us, std::vector<event::Term> terms, DomainUid domain = kDomain) {
    TailEntry entry;
    entry.position = {++last};
    entry.domain = domain;
    entry.timestamp_us = timestamp_us;
    entry.id = "e";
    entry.name = event::Name::kFailed;
    entry.severity = event::Severity::kPermanent;
    entry.terms = terms;
    run.append(entry);
  }

  std::map<std::string, std::string> rows() {
    std::vector<IndexRow> out;
    EXPECT_TRUE(index.add_rows(run, Index::Reads::kMustSucceed, out));
    std::map<std::string, std::string> sorted;
    for (auto& row : out) EXPECT_TRUE(sorted.emplace(row.key, row.value).second) << "a key twice";
    EXPECT_EQ(sorted.size(), out.size());
    return sorted;
  }

  /// Of one term.
  std::vector<Posting> postings(TermScope scope, event::Term term) {
    std::vector<Posting> out;
    const auto prefix = TermTable::prefix(scope, term);
    for (const auto& [key, value] : rows()) {
      if (!key.starts_with(prefix)) continue;
      const auto width = static_cast<unsigned>(key[prefix.size()]);
      EXPECT_TRUE(TermTable::decode(value, TermTable::period_of(width, kBaseUs), out));
    }
    return out;
  }

  /// Their widths, of one term.
  std::set<unsigned> widths(event::Term term) {
    std::set<unsigned> out;
    const auto prefix = TermTable::prefix(kDomain, term);
    for (const auto& [key, value] : rows())
      if (key.starts_with(prefix)) out.insert(static_cast<unsigned>(key[prefix.size()]));
    return out;
  }

  TermIndex index;
  TailRun run;
  uint64_t last = 0;
};

TEST_F(TermIndexTest, EachTermOfADomainHasItsPostingsInOrder) {
  add(kBaseUs + 30, {5, 6});
  add(kBaseUs + 10, {5});
  add(kBaseUs + 20, {5}, kOtherDomain);
  EXPECT_EQ(rows().size(), 3U + 2U);
  EXPECT_EQ(postings(kDomain, 5), (Found{{kBaseUs + 10, {2}}, {kBaseUs + 30, {1}}}));
  EXPECT_EQ(postings(kDomain, 6), (Found{{kBaseUs + 30, {1}}}));
  EXPECT_EQ(postings(kOtherDomain, 5), (Found{{kBaseUs + 20, {3}}}));
}

TEST_F(TermIndexTest, TheAccountHasTheKindsOfAllEventsInOrder) {
  add(kBaseUs + 30, {5, 6});
  add(kBaseUs + 10, {event::kCrowded});
  add(kBaseUs + 20, {5}, kOtherDomain);
  const TermScope account(kOnlyAccount);
  const Found all = {{kBaseUs + 10, {2}}, {kBaseUs + 20, {3}}, {kBaseUs + 30, {1}}};
  EXPECT_EQ(postings(account, event::name_term(event::Name::kFailed)), all);
  EXPECT_EQ(postings(account, event::severity_term(event::Severity::kPermanent)), all);
  EXPECT_EQ(postings(account, event::kCrowded), Found{all[0]});
  EXPECT_EQ(postings(account, 5), Found());
}

TEST_F(TermIndexTest, TheWidthGoesByHowOftenATermComes) {
  EXPECT_EQ(TermIndex::width_for(1'000'000, 1'000'000), 0U);
  EXPECT_EQ(TermIndex::width_for(1, int64_t{1} << 50), TermTable::kWidths - 1);
  for (unsigned width = 0; width < TermTable::kWidths; ++width) {
    const int64_t span = TermTable::period_us(width);
    EXPECT_EQ(TermIndex::width_for(256, span), width);
  }
  for (int i = 0; i < 3000; ++i)
    add(kBaseUs + 1000 * i,
        i % 1000 == 0 ? std::vector<event::Term>{5, 6} : std::vector<event::Term>{5});
  EXPECT_EQ(widths(5), std::set<unsigned>{0});
  EXPECT_EQ(widths(6), std::set<unsigned>{3});
}

// A few that come days late do not make the others seem rare: rows of millions would follow.
TEST_F(TermIndexTest, LateEventsDoNotWidenThePeriods) {
  for (int i = 0; i < 3000; ++i) add(kBaseUs + 500 * i - (i % 20 == 0 ? int64_t{1} << 38 : 0), {5});
  EXPECT_EQ(widths(5), std::set<unsigned>{0});
}

TEST_F(TermIndexTest, EventsAtOneMomentAreInOneRow) {
  for (int i = 0; i < 3000; ++i) add(kBaseUs, {5});
  EXPECT_EQ(rows().size(), 1U + 2U) << "those of the account too";
}

TEST_F(TermIndexTest, AnEmptyRunHasNoRows) {
  EXPECT_TRUE(rows().empty());
}

}  // namespace
}  // namespace eventhorn::store
