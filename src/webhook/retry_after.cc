#include "webhook/retry_after.h"

#include "base/dates.h"
#include "base/strings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace eventhorn::webhook {
namespace {

using std::chrono::seconds;

// Digits with or without fraction and exponent, rounded up.
std::optional<seconds> parse_delay(std::string_view text, seconds max) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    return text.find('-') == std::string_view::npos ? max : seconds(1);
  if (value >= static_cast<double>(max.count())) return max;
  return seconds(static_cast<int64_t>(std::ceil(value)));
}

std::optional<seconds> parse_one(std::string_view text, SystemTime now, seconds max) {
  if (const auto delay = parse_delay(text, max)) return delay;
  const auto date = parse_http_date(text, now);
  if (!date) return std::nullopt;
  return std::clamp(std::chrono::ceil<seconds>(*date - now), seconds::zero(), max);
}

}  // namespace

std::optional<seconds> parse_retry_after(std::span<const std::string_view> values, SystemTime now,
                                         seconds max) {
  std::optional<seconds> out;
  for (const auto value : values) out = std::max(out, parse_one(trim(value), now, max));
  return out;
}

}  // namespace eventhorn::webhook
