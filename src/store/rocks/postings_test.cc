#include "store/rocks/postings.h"

#include "store/rocks/table_test_support.h"
#include "store/rocks/term_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace eventhorn::store {
namespace {

using event::Term;
using event::TermQuery;
using Found = std::vector<Posting>;

class PostingsTest : public TableTest {
 protected:
  size_t up_to(size_t most) { return std::uniform_int_distribution<size_t>(0, most)(random); }

  /// A run of events that come every `step_us`, some of them late.
  void add_run(size_t count, int64_t step_us) {
    TailRun run;
    for (size_t i = 0; i < count; ++i) {
      TailEntry entry;
      entry.position = {++last_};
      entry.domain = kDomain;
      now_ += static_cast<int64_t>(up_to(static_cast<size_t>(2 * step_us)));
      entry.timestamp_us = now_ - (up_to(20) == 0 ? static_cast<int64_t>(up_to(1'000'000'000)) : 0);
      std::set<Term> terms;
      for (Term t = 2; t < 12; ++t)  // each rarer than the one before
        if (up_to(size_t{1} << (t - 2)) == 0) terms.insert(t);
      if (up_to(50) == 0) terms.insert(100 + last_);
      const std::vector<Term> sorted(terms.begin(), terms.end());
      entry.id = "e";
      entry.name = event::Name::kOpened;
      entry.terms = sorted;
      run.append(entry);
      events_.emplace(Posting{entry.timestamp_us, entry.position}, sorted);
    }
    put_run(run);
  }

  void put_run(const TailRun& run) {
    std::vector<IndexRow> rows;
    TermIndex index;
    EXPECT_TRUE(index.add_rows(run, Index::Reads::kMustSucceed, rows));
    write([&](rocksdb::WriteBatch& batch) {
      for (const auto& row : rows) batch.Merge(database.family(Family::kTerms), row.key, row.value);
    });
  }

  /// `count` events, a microsecond apart, of which the even ones have term 2, the odd ones term 3,
  /// and each `every`th term 9; 0: none.
  void put_alternating(size_t count, size_t every) {
    TailRun run;
    for (uint64_t i = 1; i <= count; ++i) {
      std::vector<Term> terms = {i % 2 == 0 ? Term{2} : Term{3}};
      if (every > 0 && i % every == 0) terms.push_back(9);
      TailEntry entry;
      entry.position = {i};
      entry.domain = kDomain;
      entry.timestamp_us = kBaseUs + static_cast<int64_t>(i);
      entry.id = "e";
      entry.name = event::Name::kOpened;
      entry.terms = terms;
      run.append(entry);
    }
    put_run(run);
  }

  static TermQuery even_and_odd_or_9() {
    return TermQuery::any_of(
        {TermQuery::all_of({TermQuery::of(2), TermQuery::of(3)}), TermQuery::of(9)});
  }

  TermQuery random_query(int depth) {
    if (depth == 0 || up_to(2) == 0) return TermQuery::of(2 + up_to(10));
    std::vector<TermQuery> parts;
    for (size_t n = up_to(2) + 1; n > 0; --n) parts.push_back(random_query(depth - 1));
    return up_to(1) == 0 ? TermQuery::all_of(std::move(parts))
                         : TermQuery::any_of(std::move(parts));
  }

  Found expected(const TermQuery& query, const Posting& from, bool ascending) const {
    Found out;
    for (const auto& [posting, terms] : events_) {
      const bool in = ascending ? posting >= from : posting <= from;
      if (in && query.holds(terms)) out.push_back(posting);
    }
    if (!ascending) std::ranges::reverse(out);
    return out;
  }

  Found walk(const TermQuery& query, const Posting& from, bool ascending) const {
    const Direction direction{ascending};
    const auto postings = walk_postings(table, {kDomain, direction, {}}, query);
    Found out;
    EXPECT_TRUE(postings->seek(from));
    while (postings->current()) {
      out.push_back(*postings->current());
      EXPECT_TRUE(postings->seek(direction.beyond(out.back())));
    }
    return out;
  }

  const Posting& random_event() const {
    return std::next(events_.begin(), static_cast<std::ptrdiff_t>(random() % events_.size()))
        ->first;
  }

  TermTable table{database};
  std::map<Posting, std::vector<Term>> events_;
  mutable std::mt19937 random{42};
  uint64_t last_ = 0;
  int64_t now_ = kBaseUs;
};

TEST_F(PostingsTest, AWalkFindsWhatAReadOfEveryEventFinds) {
  for (const int64_t step_us : {1, 1'000, 1'000'000, 60'000'000}) add_run(400, step_us);
  for (int i = 0; i < 30; ++i) add_run(1, 5'000'000);
  for (int round = 0; round < 150; ++round) {
    if (round == 75) compact(Family::kTerms);
    const auto query = random_query(3);
    for (const bool ascending : {true, false}) {
      const auto& from = random_event();
      ASSERT_EQ(walk(query, from, ascending), expected(query, from, ascending)) << round;
    }
  }
}

TEST_F(PostingsTest, ASeekLeaps) {
  add_run(2000, 1'000'000);
  for (int round = 0; round < 50; ++round) {
    const auto query = random_query(2);
    const bool ascending = round % 2 == 0;
    const auto postings = walk_postings(table, {kDomain, {ascending}, {}}, query);
    std::vector<Posting> targets;
    for (int i = 0; i < 10; ++i) targets.push_back(random_event());
    std::ranges::sort(targets,
                      [&](const auto& a, const auto& b) { return ascending ? a < b : b < a; });
    for (const auto& target : targets) {
      ASSERT_TRUE(postings->seek(target));
      const auto rest = expected(query, target, ascending);
      ASSERT_EQ(postings->current(), rest.empty() ? std::nullopt : std::optional(rest[0]));
    }
  }
}

TEST_F(PostingsTest, OtherDomainsAndTermsAreNotSeen) {
  add_run(100, 1000);
  const auto query = TermQuery::of(2);
  const auto elsewhere = walk_postings(table, {kOtherDomain, {true}, {}}, query);
  ASSERT_TRUE(elsewhere->seek({0, {0}}));
  EXPECT_FALSE(elsewhere->current());
  EXPECT_EQ(walk(TermQuery::of(77), {0, {0}}, true), Found{});
}

TEST_F(PostingsTest, APartThatIsGivenUpHoldsNoOther) {
  put_alternating(1000, 10);
  const auto query = even_and_odd_or_9();
  const auto give_up = [](const Posting&) { return true; };
  const auto postings = walk_postings(table, {kDomain, {true}, give_up}, query);
  ASSERT_TRUE(postings->seek({0, {0}})) << "the other part has something nearer";
  EXPECT_EQ(postings->current(), (Posting{kBaseUs + 10, {10}}));
}

// Two terms that are frequent and never together.
TEST_F(PostingsTest, ASearchThatFindsNothingIsGivenUpAndGoesOn) {
  put_alternating(4000, 0);
  const auto query = even_and_odd_or_9();
  for (const bool ascending : {true, false}) {
    size_t asked = 0;
    const auto give_up = [&](const Posting&) { return ++asked % 3 == 0; };
    Posting at = ascending ? Posting{0, {0}} : Posting{INT64_MAX >> 8, {UINT64_MAX}};
    size_t rounds = 0;
    for (;; ++rounds) {
      const auto postings = walk_postings(table, {kDomain, {ascending}, give_up}, query);
      const auto sought = postings->seek(at);
      if (sought) {
        EXPECT_FALSE(postings->current());
        break;
      }
      ASSERT_EQ(sought.error().code, Errc::kCancelled);
      ASSERT_TRUE(postings->current());
      ASSERT_TRUE(Direction{ascending}.before(at, *postings->current())) << "no progress";
      at = *postings->current();
    }
    EXPECT_GT(rounds, 10U);
  }
}

TEST_F(PostingsTest, ADamagedRowIsAnError) {
  add_run(100, 1000);
  for (const auto& [key, value] : raw(Family::kTerms)) put(Family::kTerms, key, "\xff");
  const auto postings = walk_postings(table, {kDomain, {true}, {}}, TermQuery::of(2));
  const auto sought = postings->seek({0, {0}});
  ASSERT_FALSE(sought);
  EXPECT_EQ(sought.error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace eventhorn::store
