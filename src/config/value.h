// A setting's value between its source and its field, free of any TOML library.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace eventhorn::config {

using Value = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;

struct FileEntry {
  std::string key;  // "delivery.timeout"
  Result<Value> value;
  uint32_t line = 0;
};

/// The entries of a TOML text in no particular order; tables are entries of their own only by what
/// is in them. A value no setting can have (a date, a list of anything but strings) is an error in
/// its entry. kInvalidArgument with the line for text that is not TOML.
Result<std::vector<FileEntry>> parse_toml(std::string_view text);

/// One value in TOML syntax, on one line.
Result<Value> parse_toml_value(std::string_view text);

/// `text` as a basic string, quotes included.
std::string quote_toml(std::string_view text);

}  // namespace eventhorn::config
