// One walk over an event as it came: checks every byte and the types of known fields, and finds the
// values that normalisation needs.
#pragma once

#include "base/result.h"
#include "event/edits.h"
#include "event/schema.h"
#include "json/cursor.h"

#include <array>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::event {

/// A value in the text; kNone when the field is missing.
struct Found {
  json::Kind kind = json::Kind::kNone;
  /// The whole value, a string with its quotes.
  std::string_view raw;
  /// A string that holds a backslash.
  bool escaped = false;

  bool absent() const { return kind == json::Kind::kNone || kind == json::Kind::kNull; }
};

/// What one event holds, as views into its text. Keeps its memory from event to event; one thread.
class Inspection {
 public:
  /// Forgets the event before, reads this one, and adds the edits that types ask for (integers,
  /// empty objects, the spelling of keys). Errors: kInvalidArgument, as Normalizer::normalize says.
  Status inspect(std::string_view item, Edits& edits);

  const Found& operator[](Fact fact) const { return facts_[static_cast<size_t>(fact)]; }

  /// Where members can be added: an empty view before the last brace.
  std::string_view end() const { return end_; }

  /// Whether there is space between the tokens.
  bool spaced() const { return spaced_; }

 private:
  // These give false after an error, which is then in error_ or in the cursor.
  bool read_object(const Schema& schema);
  bool read_value(const Schema& schema, const Field& field);
  bool read_typed(const Schema& schema, const Field& field, Found& found);
  bool read_strings(const Schema& schema, const Field& field);
  bool read_strings_or_null();
  bool read_objects(const Schema& schema, const Field& field);
  bool read_number(const Schema& schema, const Field& field);
  bool read_integer(const Schema& schema, const Field& field);
  bool read_empty_array(const Schema& schema, const Field& field);
  bool refuse(const Schema& schema, std::string_view name, std::string_view rule);
  Status check_other_keys();

  json::Cursor cursor_{{}};
  Edits* edits_ = nullptr;
  std::array<Found, kFacts> facts_;
  std::string_view end_;
  bool spaced_ = false;
  std::optional<Error> error_;
  std::vector<std::string_view> other_keys_;  // of the event itself, decoded
  std::deque<std::string> decoded_keys_;
};

}  // namespace eventhorn::event
