// The filter of an Events API query: which events a page shows. One matcher for every reader of
// events, so that scan, index and stream agree. Immutable once parsed; any number of threads.
//
// What matches is our reading of "contains" (spec/events.md). Case does not count, nor how accents
// are encoded (base/text.h);
//  - event, severity, message-id (without angle brackets), recipient, list and each of tags are
//    compared whole; event and severity must be one of those that exist;
//  - from, to, subject, each attachment's filename and each of recipients: by words. A term matches
//    where its words follow each other: `bob@example.com` matches "Bob <bob@example.com>". A term
//    without any word ("%") matches where it stands in the text;
//  - size: as a number.
// A term is false where the field is missing; severity is missing but for failed events.
#pragma once

#include "base/result.h"
#include "event/event.h"
#include "event/expression.h"
#include "event/terms.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::event {

class Filter {
 public:
  /// (field, expression), as in the query.
  using Terms = std::vector<std::pair<std::string, std::string>>;

  /// Whether a query parameter of that name is a filter: event, list, attachment, from, message-id,
  /// subject, to, size, recipient, recipients, tags or severity.
  static bool is_field(std::string_view name);

  /// Matches every event.
  Filter() = default;

  /// All of `terms` must match; those with an empty (or blank) expression are left out.
  /// kInvalidArgument, naming the field, for a field that is none, an expression outside the
  /// grammar, more than 100 terms in all, 32 levels of nesting or 4 KiB in one expression, and,
  /// naming those there are, for an event or a severity that does not exist.
  static Result<Filter> parse(Terms terms);

  /// `event_bytes` are an event's normalised bytes.
  bool matches(std::string_view event_bytes) const;

  /// False only if no event of that name and severity can match.
  bool may_match(Name name, Severity severity) const;

  /// What every event that it matches has of terms.
  TermQuery term_query() const;

  bool empty() const { return terms_.empty(); }

  /// Without the empty ones; parse() makes the same filter of them.
  const Terms& terms() const { return terms_; }

 private:
  struct Condition {
    size_t field;  // index in the table of fields
    Expression expression;
  };

  Terms terms_;
  std::vector<Condition> conditions_;
};

}  // namespace eventhorn::event
