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
