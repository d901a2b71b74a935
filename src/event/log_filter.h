// The filter of a query of the Logs API (spec: Logs): which events it shows, beside their domains.
// Its fields are read as those of the Events API (fields.h), but compared as that API's words ask:
// `=` with a whole value, `contains` with a part of it; neither case counts nor how accents are
// encoded. Immutable once made; any number of threads.
#pragma once

#include "base/result.h"
#include "event/event.h"
#include "event/fields.h"
#include "event/terms.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::event {

class LogFilter {
 public:
  enum class Comparator { kIs, kIsNot, kContains, kContainsNot };

  /// "=", "!=", "contains" and "not contains". kInvalidArgument that names these.
  static Result<Comparator> parse_comparator(std::string_view text);

  /// Matches every event.
  LogFilter() = default;

  /// Adds a condition: an attribute compares with one of `values`, or with none of them where the
  /// comparator says "not". kInvalidArgument for an attribute that there is not, naming those that
  /// there are, and for an event or a severity that does not exist. `domain` is none: that is not
  /// of the event.
  Status add(std::string_view attribute, Comparator comparator,
             const std::vector<std::string>& values);

  /// Adds a condition: the event has one of `events` as its name, or counts for one of `metrics`.
  /// Not both empty. kInvalidArgument for those that there are not, or cannot be told by one event.
  Status add_events(const std::vector<std::string>& events,
                    const std::vector<std::string>& metrics);

  /// `event_bytes` are an event's normalised bytes.
  bool matches(std::string_view event_bytes) const;

  /// False only if no event of that name and severity can match.
  bool may_match(Name name, Severity severity) const;

  /// What every event that it matches has of terms.
  TermQuery term_query() const;

  bool empty() const { return conditions_.empty(); }

 private:
  struct Test {
    size_t field;  // kDomainOfRecipient beside those of fields.h
    bool part;     // of the value
    std::string text;

    bool holds(const FieldValue& value) const;
    TermQuery term_query() const;
  };

  using Tests = std::vector<Test>;  // all of them

  struct Condition {
    std::vector<Tests> any;
    bool negated = false;
  };

  static bool all_hold(const Tests& tests, const std::vector<FieldValue>& values);

  std::vector<Condition> conditions_;
};

}  // namespace eventhorn::event
