// The table of settings: TOML, environment and command line all go through it.
#pragma once

#include "base/result.h"
#include "config/config.h"
#include "config/value.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace eventhorn::config {

/// Where a setting lives. The type decides how it is written: uint32_t is a count, uint64_t a size
/// in bytes.
using FieldRef = std::variant<bool*, uint32_t*, uint64_t*, double*, std::chrono::milliseconds*,
                              std::string*, std::vector<std::string>*,
                              std::vector<std::chrono::milliseconds>*, Success*, Erase*, LogLevel*>;

struct Field {
  std::string_view key;
  FieldRef (*member)(Config&);
  /// Bounds of numbers, sizes (bytes) and durations (ms), both included; of each item in a list of
  /// durations; of the length of a string.
  double min = 0;
  double max = 0;
};

std::span<const Field> fields();
/// nullptr when there is none.
const Field* find_field(std::string_view key);
/// The key a user who wrote `unknown` most likely meant; empty when none is near.
std::string_view nearest_key(std::string_view unknown);

/// "delivery.timeout" is EVENTHORN_DELIVERY_TIMEOUT.
std::string environment_name(std::string_view key);

/// Sets the field. kInvalidArgument with the rule, without the key, when the value is of another
/// type; bounds are validate()'s.
Status assign(const Field& field, Config& config, const Value& value);

/// A value as the environment and --set write it: TOML syntax, where bare words are strings and a
/// list may be `a,b`.
Result<Value> parse_text(const Field& field, std::string_view text);

/// The rule that the field's value breaks by its bounds, e.g. "must be between 1s and 10m".
std::optional<std::string> broken_bound(const Field& field, const Config& config);

/// The field's value in TOML syntax, on one line.
std::string format_value(const Field& field, const Config& config);

}  // namespace eventhorn::config
