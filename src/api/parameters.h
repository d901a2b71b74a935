// One reader for each kind of parameter, wherever it stands: in a query, a form or a JSON object.
// Pure.
#pragma once

#include "base/result.h"
#include "http/forms.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace eventhorn::api {

/// kInvalidArgument "<name>: <rule>", with at most 64 bytes of the name.
tl::unexpected<Error> invalid(std::string_view name, std::string_view rule);

/// kInvalidArgument "<name>: must be a number from <min> to <max>" for anything but a whole number
/// within the bounds.
Result<uint64_t> parse_number(std::string_view name, std::string_view text, uint64_t min,
                              uint64_t max);

/// That of a form or query; `usual` where it is not given.
Result<uint64_t> read_number(const http::Form& form, std::string_view name, uint64_t usual,
                             uint64_t min, uint64_t max);

/// A flag as any client writes it: yes, no, true, false, 1, 0, on or off, in any case; nullopt for
/// an empty text. kInvalidArgument naming the field otherwise.
Result<std::optional<bool>> parse_flag(std::string_view name, std::string_view text);

}  // namespace eventhorn::api
