#include "event/terms.h"

#include "event/filter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace eventhorn::event {
namespace {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}

  size_t up_to(size_t most) { return std::uniform_int_distribution<size_t>(0, most)(engine_); }

  const std::string& one_of(const std::vector<std::string>& values) {
    return values[up_to(values.size() - 1)];
  }

 private:
  std::mt19937 engine_;
};

const std::vector<std::string> kNames = {"failed", "opened", "delivered", "FAILED"};
const std::vector<std::string> kSeverities = {"permanent", "temporary"};
const std::vector<std::string> kAddresses = {"a@x.example", "B@X.example", "stra\u00dfe@y.example",
                                             "nobody"};
const std::vector<std::string> kTexts = {"Spring sale",
                                         "sale of the spring",
                                         "STRASSE 5",
                                         "stra\u00dfe",
                                         "caf\u00e9",
                                         "cafe\u0301 50%",
                                         "\u65e5\u672c\u8a9e",
                                         "%",
                                         "Bob <bob@x.example>",
                                         "",
                                         "a.b-c_d",
                                         "  "};
const std::vector<std::string> kSizes = {"0",  "1",   "1023", "1024",  "1025",
                                         "-3", "0.5", "1e30", "1024.0"};

std::string quoted(const std::string& text) {
  return '"' + text + '"';
}

std::string random_event(Random& any) {
  std::string out = R"({"event":)" + quoted(any.one_of(kNames));
  if (any.up_to(1) == 0) out += R"(,"severity":)" + quoted(any.one_of(kSeverities));
  if (any.up_to(1) == 0) out += R"(,"reason":"bounce")";
  out += R"(,"recipient":)" + quoted(any.one_of(kAddresses));
  out += R"(,"tags":[)" + quoted(any.one_of(kTexts)) + "," + quoted(any.one_of(kTexts)) + "]";
  if (any.up_to(2) == 0)
    out += R"(,"mailing-list":{"address":)" + quoted(any.one_of(kAddresses)) + "}";
  out += R"(,"message":{"headers":{"message-id":)" + quoted(any.one_of(kAddresses));
  out += R"(,"from":)" + quoted(any.one_of(kTexts)) + R"(,"to":)" + quoted(any.one_of(kTexts));
  out += R"(,"subject":)" + quoted(any.one_of(kTexts));
  out += R"(},"attachments":[{"filename":)" + quoted(any.one_of(kTexts)) + "}]";
  out += R"(,"recipients":[)" + quoted(any.one_of(kAddresses)) + "]";
  if (any.up_to(3) != 0) out += R"(,"size":)" + any.one_of(kSizes);
  return out + "}}";
}

std::string random_term(Random& any, const std::string& field) {
  if (field == "event") return any.one_of({"failed", "opened", "delivered"});
  if (field == "severity") return any.one_of(kSeverities);
  if (field == "size")
    return any.one_of({"", ">", "<", ">=", "<="}) + any.one_of({"0", "1023", "1024", "3", "1e30"});
  const auto& text = any.one_of(any.up_to(2) == 0 ? kAddresses : kTexts);
  return text.empty() ? "nothing" : quoted(text);
}

std::string random_expression(Random& any, const std::string& field, int depth) {
  const auto part = [&] { return random_expression(any, field, depth - 1); };
  switch (depth > 0 ? any.up_to(5) : 5) {
    case 0:
      return "(" + part() + " OR " + part() + ")";
    case 1:
      return "(" + part() + " AND " + part() + ")";
    case 2:
      return "NOT " + part();
    default:
      return random_term(any, field);
  }
}

// The promise of the index: it may look at too much, and leaves nothing out.
TEST(Terms, AFilterMatchesOnlyEventsThatHoldItsQuery) {
  const std::vector<std::string> fields = {"event",   "severity", "message-id", "recipient",
                                           "list",    "tags",     "from",       "to",
                                           "subject", "size",     "attachment", "recipients"};
  Random any(20260311);
  size_t matched = 0;
  size_t ruled_out = 0;
  for (int round = 0; round < 4'000; ++round) {
    const std::string event = random_event(any);
    Filter::Terms terms;
    for (size_t n = any.up_to(1) + 1; n > 0; --n) {
      const auto& field = any.one_of(fields);
      terms.emplace_back(field, random_expression(any, field, 2));
    }
    const auto filter = Filter::parse(terms);
    ASSERT_TRUE(filter) << terms[0].first << "=" << terms[0].second << filter.error().message;
    const bool holds = filter->term_query().holds(terms_of(event));
    if (filter->matches(event)) {
      ++matched;
      EXPECT_TRUE(holds) << terms[0].first << "=" << terms[0].second << " " << event;
    }
    if (!holds) ++ruled_out;
  }
  EXPECT_GT(matched, 400U);
  EXPECT_GT(ruled_out, 1000U);
}

TermQuery query_of(const std::string& field, const std::string& expression) {
  const auto filter = Filter::parse({{field, expression}});
  EXPECT_TRUE(filter);
  return filter ? filter->term_query() : TermQuery();
}

TEST(Terms, AreInOrderAndOnce) {
  const auto terms = terms_of(
      R"({"event":"opened","tags":["a","A","b"],"message":{"headers":{"subject":"one one two"}}})");
  EXPECT_EQ(terms.size(), 5U);
  EXPECT_TRUE(std::ranges::is_sorted(terms));
  for (const Term term : terms) {
    EXPECT_GT(term, kCrowded);
    EXPECT_LT(term, Term{1} << 40);
  }
}

// They are on disk: values that change need another kRules.
TEST(Terms, StayWhatTheyAre) {
  EXPECT_EQ(terms_of(R"({"event":"opened"})"), std::vector<Term>{whole_term(0, "opened")});
  EXPECT_EQ(whole_term(0, "opened"), 532677130251U);
  EXPECT_EQ(word_term(8, "spring"), 286104187278U);
  EXPECT_EQ(size_term(11), 874913542084U);
}

TEST(Terms, TheRecipientsDomainAndTheReasonAreTermsToo) {
  const auto one = terms_of(R"({"recipient":"a@x.example"})");
  const auto other = terms_of(R"({"recipient":"b@x.example"})");
  EXPECT_EQ(one.size(), 2U);
  std::vector<Term> both;
  std::ranges::set_intersection(one, other, std::back_inserter(both));
  EXPECT_EQ(both.size(), 1U);
  EXPECT_EQ(terms_of(R"({"reason":"bounce"})").size(), 1U);
}

// Its search would be a scan.
TEST(Terms, WhatAsksNothingIsSaidSo) {
  EXPECT_TRUE(query_of("subject", "NOT spam").any());
  EXPECT_TRUE(query_of("subject", "%").any());
  EXPECT_TRUE(query_of("subject", "spring OR NOT spam").any());
  EXPECT_FALSE(query_of("subject", "spring NOT spam").any());
  EXPECT_TRUE(Filter().term_query().any());
}

// What an account knows of all its events.
TEST(Terms, OfAQueryTheKindsAreKept) {
  const auto failed = name_term(Name::kFailed);
  const auto permanent = severity_term(Severity::kPermanent);
  const auto terms = terms_of(R"({"event":"failed","severity":"permanent","tags":["a"]})");
  EXPECT_TRUE(std::ranges::binary_search(terms, failed));
  EXPECT_TRUE(std::ranges::binary_search(terms, permanent));
  const auto both = Filter::parse({{"event", "failed"}, {"tags", "b"}})->term_query();
  EXPECT_FALSE(both.holds(terms));
  EXPECT_TRUE(both.of_kinds().holds(terms));
  EXPECT_FALSE(both.of_kinds().holds(std::vector<Term>{name_term(Name::kOpened)}));
  EXPECT_TRUE(both.of_kinds().holds(std::vector<Term>{kCrowded}));
  EXPECT_TRUE(query_of("tags", "a").of_kinds().any());
  EXPECT_TRUE(TermQuery().of_kinds().any());
}

TEST(Terms, ASizeIsInTheBucketOfItsPowerOfTwo) {
  EXPECT_EQ(size_bucket(-1), 0U);
  EXPECT_EQ(size_bucket(0), 0U);
  EXPECT_EQ(size_bucket(1), 1U);
  EXPECT_EQ(size_bucket(1023), 10U);
  EXPECT_EQ(size_bucket(1024), 11U);
  EXPECT_EQ(size_bucket(1e300), kMaxSizeBucket);
  const auto large = terms_of(R"({"message":{"size":5000}})");
  EXPECT_TRUE(query_of("size", ">4999").holds(large));
  EXPECT_FALSE(query_of("size", ">9000").holds(large));
  EXPECT_FALSE(query_of("size", "<1000").holds(large));
}

TEST(Terms, AnEventWithTooManyIsFoundByEverySearch) {
  std::string subject;
  for (size_t i = 0; i <= kMaxTerms; ++i) subject += fmt::format("w{} ", i);
  const auto terms = terms_of(R"({"message":{"headers":{"subject":")" + subject + R"("}}})");
  EXPECT_EQ(terms, std::vector<Term>{kCrowded});
  EXPECT_TRUE(query_of("subject", "w7").holds(terms));
  EXPECT_TRUE(query_of("event", "failed").holds(terms));
  std::string repeated;
  for (size_t i = 0; i < 5 * kMaxTerms; ++i) repeated += "same ";
  EXPECT_EQ(terms_of(R"({"message":{"headers":{"subject":")" + repeated + R"("}}})").size(), 1U);
}

TEST(Terms, ALongPhraseLooksForItsLongestWords) {
  std::string words = "supercalifragilistic ";
  for (int i = 0; i < 500; ++i) words += fmt::format("w{} ", i);
  const auto query = query_of("subject", '"' + words + '"');
  ASSERT_EQ(query.op, TermQuery::Op::kOr);
  EXPECT_EQ(query.parts[0].parts.size(), 8U);
  EXPECT_EQ(query.parts[0].parts[0].term, word_term(8, "supercalifragilistic"));
}

TEST(Terms, TheVersionNamesTheRulesAndUnicode) {
  EXPECT_EQ(terms_version() >> 8, 2);
  EXPECT_GE(terms_version() & 0xff, 14);  // Debian 12 has 15
}

}  // namespace
}  // namespace eventhorn::event
