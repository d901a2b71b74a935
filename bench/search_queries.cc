#include "search_queries.h"

#include <fmt/format.h>

#include <array>

namespace eventhorn::bench {
namespace {

using Field = Term::Field;

/// In the order of Field.
constexpr std::array<std::string_view, 7> kFieldNames = {
    "event", "severity", "recipient", "message-id", "tags", "subject", "size"};
static_assert(kFieldNames.size() == static_cast<size_t>(Field::kSizeAbove) + 1);

constexpr std::array<std::string_view, 8> kWords = {"garden", "parcel",   "recipes",  "laptop",
                                                    "coast",  "reminder", "security", "invoice"};
/// Each is in a tenth of the subjects, and no subject has two of them.
constexpr std::array<std::string_view, 5> kTopicWords = {"garden", "parcel", "recipes", "laptop",
                                                         "coast"};

std::string event_of_big_domain(const Corpus& corpus, Random& random) {
  std::string out;
  corpus.append_event(corpus.pick_of_big_domain(random), out);
  return out;
}

Query newest(const Corpus&, Random&) {
  return {};
}

Query of_recipient(const Corpus& corpus, Random& random) {
  const auto event = event_of_big_domain(corpus, random);
  return {{{Field::kRecipient, std::string(text_of(event, "recipient"))}}};
}

Query of_message(const Corpus& corpus, Random& random) {
  const auto event = event_of_big_domain(corpus, random);
  return {{{Field::kMessageId, std::string(text_of(event, "message-id"))}}};
}

Query failed_of_a_day(const Corpus& corpus, Random& random) {
  constexpr int64_t kDayUs = int64_t{24} * 3600 * 1'000'000;
  const int64_t from =
      to_micros(corpus.start()) + kDayUs * static_cast<int64_t>(random.below(Corpus::kDays));
  return {{{Field::kEvent, "failed"}, {Field::kSeverity, "permanent"}},
          Query::Range{from, from + kDayUs}};
}

Query of_tag(const Corpus& corpus, Random& random) {
  return {{{Field::kTag, tags_of(event_of_big_domain(corpus, random)).front()}}};
}

Query of_two_tags(const Corpus& corpus, Random& random) {
  const auto tags = tags_of(event_of_big_domain(corpus, random));
  return {{{Field::kTag, tags[0]}, {Field::kTag, tags[1]}}};
}

Query of_subject_word(const Corpus&, Random& random) {
  return {{{Field::kSubjectWord, std::string(kWords[random.below(kWords.size())])}}};
}

Query of_unknown_tag(const Corpus&, Random& random) {
  return {{{Field::kTag, "newsletter"}, {Field::kTag, fmt::format("none-{}", random.next())}}};
}

Query of_words_never_together(const Corpus&, Random& random) {
  const size_t first = random.below(kTopicWords.size());
  const size_t other = (first + 1 + random.below(kTopicWords.size() - 1)) % kTopicWords.size();
  return {{{Field::kSubjectWord, std::string(kTopicWords[first])},
           {Field::kSubjectWord, std::string(kTopicWords[other])}}};
}

Query of_none_but_complaints(const Corpus&, Random&) {
  Query query;
  for (const auto name : {"accepted", "delivered", "opened", "clicked", "failed", "unsubscribed"})
    query.terms.push_back({Field::kEvent, name, true});
  return query;
}

Query of_large_messages(const Corpus&, Random& random) {
  return {{{Field::kSizeAbove, std::to_string(61'000 + random.below(100))}}};
}

constexpr std::array kKinds = {
    QueryKind{"newest", Aided::kYes, newest},
    QueryKind{"recipient", Aided::kYes, of_recipient},
    QueryKind{"message-id", Aided::kYes, of_message},
    QueryKind{"permanent failures of a day", Aided::kYes, failed_of_a_day},
    QueryKind{"tag", Aided::kYes, of_tag},
    QueryKind{"two tags", Aided::kYes, of_two_tags},
    QueryKind{"subject word", Aided::kYes, of_subject_word},
    QueryKind{"nothing", Aided::kYes, of_unknown_tag},
    QueryKind{"nothing, of two common words", Aided::kNo, of_words_never_together},
    QueryKind{"NOT, leaves 0.2 %", Aided::kNo, of_none_but_complaints},
    QueryKind{"size>, leaves 1.3 %", Aided::kNo, of_large_messages},
};

}  // namespace

std::string_view name_of(Term::Field field) {
  return kFieldNames[static_cast<size_t>(field)];
}

std::string expression_of(const Term& term) {
  if (term.field == Field::kSizeAbove) return ">" + term.value;
  return (term.negated ? "NOT " : "") + term.value;
}

std::span<const QueryKind> query_kinds() {
  return kKinds;
}

}  // namespace eventhorn::bench
