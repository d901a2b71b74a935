// The types of the fields that clients rely on (spec/event-types.md "Typing rules"): one value of a
// wrong type makes strict SDKs drop a whole page of events. Fields that are not listed may hold
// anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace eventhorn::event {

/// What a field must hold, unless it is null.
enum class Rule : uint8_t {
  kAny,
  kString,
  kBool,
  kNumber,
  kInteger,        // 550.0 is made 550
  kStrings,        // array of strings
  kStringsOrNull,  // anything but an array of strings is made null
  kArray,
  kObject,   // with the fields of `members`; [] is made {}
  kObjects,  // array of such objects
};

/// The fields that normalisation reads or writes, beyond checking their type.
enum class Fact : uint8_t {
  kEvent,
  kId,
  kTimestamp,
  kSeverity,
  kLogLevel,
  kAccount,
  kAccountId,
  kDomain,
  kDomainName,
  kTags,
  kCampaigns,
  kUserVariables,
  kRecipient,
  kMessageId,
  kNone,
};

inline constexpr size_t kFacts = static_cast<size_t>(Fact::kNone);

struct Schema;

struct Field {
  std::string_view name;
  Rule rule = Rule::kAny;
  const Schema* members = nullptr;
  Fact fact = Fact::kNone;
};

struct Schema {
  /// What precedes a field's name in error messages: "", "message.headers.".
  std::string_view prefix;
  /// At most 64.
  std::span<const Field> fields;
  /// For members that are not in `fields`.
  Rule others = Rule::kAny;
};

/// The event itself.
const Schema& event_schema();

}  // namespace eventhorn::event
