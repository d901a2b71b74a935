#include "webhook/retry_after.h"

#include "base/strings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

namespace eventhorn::webhook {
namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Takes pieces off the front of a text; after the first that does not fit, every further one fails
// too.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void literal(std::string_view expected) {
    if (rest_.starts_with(expected)) {
      rest_.remove_prefix(expected.size());
    } else {
      ok_ = false;
    }
  }

  // Exactly `width` digits, or a space and `width` - 1 digits where `padded`.
  int number(size_t width, bool padded = false) {
    std::string_view digits = rest_.substr(0, width);
    ok_ = ok_ && digits.size() == width;
    if (padded && digits.starts_with(' ')) digits.remove_prefix(1);
    const auto value = parse_uint(digits);
    ok_ = ok_ && value.has_value();
    rest_.remove_prefix(std::min(width, rest_.size()));
    return ok_ ? static_cast<int>(*value) : 0;
  }

  unsigned month() {
    const auto found = std::ranges::find(kMonths, rest_.substr(0, 3));
    ok_ = ok_ && found != kMonths.end();
    rest_.remove_prefix(std::min<size_t>(3, rest_.size()));
    return static_cast<unsigned>(found - kMonths.begin()) + 1;
  }

  seconds time_of_day() {
    const int h = number(2);
    literal(":");
    const int m = number(2);
    literal(":");
    const int s = number(2);
    ok_ = ok_ && h < 24 && m < 60 && s <= 60;
    return std::chrono::hours(h) + std::chrono::minutes(m) + seconds(s);
  }

  bool ok() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Date {
  int year = 0;
  unsigned month = 0;
  int day = 0;
  seconds time{};
};

// "Wed, 11 Mar 2026 09:00:03 GMT" without the day's name and comma.
bool scan_imf_fixdate(std::string_view text, Date& date) {
  Scanner in(text);
  in.literal(" ");
  date.day = in.number(2);
  in.literal(" ");
  date.month = in.month();
  in.literal(" ");
  date.year = in.number(4);
  in.literal(" ");
  date.time = in.time_of_day();
  in.literal(" GMT");
  return in.ok();
}

// "Wednesday, 11-Mar-26 09:00:03 GMT", likewise. The year is within 50 years of now's (RFC 9110
// section 5.6.7).
bool scan_rfc850(std::string_view text, int this_year, Date& date) {
  Scanner in(text);
  in.literal(" ");
  date.day = in.number(2);
  in.literal("-");
  date.month = in.month();
  in.literal("-");
  date.year = this_year / 100 * 100 + in.number(2);
  if (date.year > this_year + 50) date.year -= 100;
  in.literal(" ");
  date.time = in.time_of_day();
  in.literal(" GMT");
  return in.ok();
}

// "Wed Mar 11 09:00:03 2026" without the day's name.
bool scan_asctime(std::string_view text, Date& date) {
  Scanner in(text);
  in.literal(" ");
  date.month = in.month();
  in.literal(" ");
  date.day = in.number(2, true);
  in.literal(" ");
  date.time = in.time_of_day();
  in.literal(" ");
  date.year = in.number(4);
  return in.ok();
}

std::optional<SystemTime> parse_http_date(std::string_view text, SystemTime now) {
  const auto today = std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now));
  Date date;
  const auto comma = text.find(',');
  const bool read =
      comma == std::string_view::npos
          ? scan_asctime(text.substr(std::min<size_t>(3, text.size())), date)
          : scan_imf_fixdate(text.substr(comma + 1), date) ||
                scan_rfc850(text.substr(comma + 1), static_cast<int>(today.year()), date);
  if (!read) return std::nullopt;
  // The day's name is not compared: a wrong one would not make the date less clear.
  const std::chrono::year_month_day day(std::chrono::year(date.year),
                                        std::chrono::month(date.month),
                                        std::chrono::day(static_cast<unsigned>(date.day)));
  if (!day.ok()) return std::nullopt;
  return std::chrono::sys_days(day) + date.time;
}

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
