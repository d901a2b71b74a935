#include "base/duration.h"

#include "base/check.h"
#include "base/strings.h"

#include <array>

namespace eventhorn {
namespace {

struct Unit {
  std::string_view suffix;
  int64_t ms;
};

// Largest first, for format_duration.
constexpr std::array<Unit, 5> kUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::string_view digits = text.substr(0, text.find_first_not_of("0123456789"));
  const std::string_view suffix = text.substr(digits.size());
  for (const Unit& unit : kUnits) {
    if (suffix != unit.suffix || digits.empty()) continue;
    const auto number = parse_uint(digits);
    if (!number || *number > static_cast<uint64_t>(kMaxDuration.count() / unit.ms)) {
      return fail(Errc::kInvalidArgument, "duration must be at most 3650d");
    }
    return std::chrono::milliseconds(static_cast<int64_t>(*number) * unit.ms);
  }
  return fail(Errc::kInvalidArgument,
              "duration must be a whole number followed by ms, s, m, h or d");
}

std::string format_duration(std::chrono::milliseconds duration) {
  const int64_t ms = duration.count();
  CHECK(ms >= 0);
  if (ms == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (ms % unit.ms == 0) return std::to_string(ms / unit.ms).append(unit.suffix);
  }
  return {};
}

}  // namespace eventhorn
