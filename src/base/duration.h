// Lengths of time as people write them in settings: "250ms", "1s", "5m", "2h", "7d".
#pragma once

#include "base/result.h"

#include <chrono>
#include <string>
#include <string_view>

namespace eventhorn {

/// Nothing in this system lasts longer; keeps sums of durations far from overflow.
inline constexpr std::chrono::milliseconds kMaxDuration = std::chrono::hours(24 * 3650);

/// A whole decimal number followed by ms, s, m, h or d, without spaces or sign; zero is allowed.
/// kInvalidArgument for anything else and for more than kMaxDuration.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The shortest text that parse_duration reads back as `duration`, which must not be negative:
/// "5m", "90s", "0s".
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace eventhorn
