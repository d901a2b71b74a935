#include "api/parameters.h"

#include "base/strings.h"

#include <fmt/format.h>

namespace eventhorn::api {
namespace {

constexpr size_t kQuotedBytes = 64;

}  // namespace

tl::unexpected<Error> invalid(std::string_view name, std::string_view rule) {
  return fail(Errc::kInvalidArgument,
              fmt::format("{}: {}", escape_for_log(name, kQuotedBytes), rule));
}

Result<uint64_t> parse_number(std::string_view name, std::string_view text, uint64_t min,
                              uint64_t max) {
  const auto number = parse_uint(text);
  if (number && *number >= min && *number <= max) return *number;
  return invalid(name, fmt::format("must be a number from {} to {}", min, max));
}

Result<uint64_t> read_number(const http::Form& form, std::string_view name, uint64_t usual,
                             uint64_t min, uint64_t max) {
  const auto text = form.first(name);
  if (!text) return usual;
  return parse_number(name, *text, min, max);
}

Result<std::optional<bool>> parse_flag(std::string_view name, std::string_view text) {
  const auto lower = to_lower(trim(text));
  if (lower.empty()) return std::optional<bool>();
  for (const auto* yes : {"yes", "true", "1", "on"}) {
    if (lower == yes) return std::optional(true);
  }
  for (const auto* no : {"no", "false", "0", "off"}) {
    if (lower == no) return std::optional(false);
  }
  return invalid(name, "must be yes or no");
}

}  // namespace eventhorn::api
