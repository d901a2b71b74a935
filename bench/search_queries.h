// What the benchmark of search asks for: first pages of the big domain, newest first, each kind of
// query with another value each time. Pure values.
#pragma once

#include "search_corpus.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::bench {

/// Of several terms all must hold.
struct Term {
  enum class Field { kEvent, kSeverity, kRecipient, kMessageId, kTag, kSubjectWord, kSizeAbove };
  Field field{};
  std::string value;
  bool negated = false;  // of kEvent only
};

/// The name of the field in the Events API.
std::string_view name_of(Term::Field field);
/// The term as an expression of the Events API.
std::string expression_of(const Term& term);

struct Query {
  std::vector<Term> terms;

  /// Only timestamps within [from_us, to_us).
  struct Range {
    int64_t from_us = 0;
    int64_t to_us = 0;
  };

  std::optional<Range> range{};
  size_t limit = 100;
};

/// Whether an index answers the query, or rows must be looked at one by one.
enum class Aided { kYes, kNo };

struct QueryKind {
  std::string_view name;
  Aided aided;
  /// `random` picks the values.
  Query (*make)(const Corpus& corpus, Random& random);
};

/// In the order of the report.
std::span<const QueryKind> query_kinds();

}  // namespace eventhorn::bench
