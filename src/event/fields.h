// What of an event can be searched: the fields of filters and terms, and their values in an event.
// Filters (filter.h) and terms (terms.h) both read events by it, so that a search by an index finds
// what a filter matches. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::event {

/// Their numbers are on disk, in terms: do not change them without terms_version().
enum Field : uint8_t {
  kEvent,
  kSeverity,
  kMessageId,
  kRecipient,
  kList,
  kTags,
  kFrom,
  kTo,
  kSubject,
  kAttachment,
  kRecipients,
  kSize,
  kReason,  // the last of which there are terms
  kProvider,
  kCountry,
  kIp,
  kTransport,
  kBounceType,
  kNoField,
};

/// How the values of a field are compared.
enum class Match : uint8_t {
  kWhole,
  kClosed,  // whole, and one of few
  kWords,
  kNumber,
};

struct FieldRule {
  std::string_view name;  // as in a query
  Match match;
  bool in_filters;  // of the Events API
};

inline constexpr std::array<FieldRule, kNoField> kFields = {{
    {"event", Match::kClosed, true},
    {"severity", Match::kClosed, true},
    {"message-id", Match::kWhole, true},
    {"recipient", Match::kWhole, true},
    {"list", Match::kWhole, true},
    {"tags", Match::kWhole, true},
    {"from", Match::kWords, true},
    {"to", Match::kWords, true},
    {"subject", Match::kWords, true},
    {"attachment", Match::kWords, true},
    {"recipients", Match::kWords, true},
    {"size", Match::kNumber, true},
    {"reason", Match::kWhole, false},
    {"recipient-provider", Match::kWhole, false},
    {"country", Match::kWhole, false},
    {"ip", Match::kWhole, false},
    {"transport", Match::kWhole, false},
    {"bounce-type", Match::kWhole, false},
}};

/// A value of an event.
struct FieldValue {
  Field field;
  std::string text;   // folded (base/text.h); of a number: as it came
  std::string words;  // join_words(), where the field is matched by them
};

using FieldSet = uint32_t;

constexpr FieldSet field_bit(size_t field) {
  return FieldSet{1} << field;
}

inline constexpr FieldSet kTermFields = field_bit(kReason + 1) - 1;

/// Appends the values that the normalised bytes of an event have of the `wanted` fields. Only
/// `failed` events have a severity.
void read_fields(std::string_view event_bytes, FieldSet wanted, std::vector<FieldValue>& out);

}  // namespace eventhorn::event
