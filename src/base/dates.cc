#include "base/dates.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn {
namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

std::string_view short_name(std::string_view name) {
  return name.substr(0, 3);
}

// RFC 2822 section 4.3: obs-zone. Military letters mean UTC there.
constexpr std::array<std::pair<std::string_view, int>, 11> kZones = {{{"gmt", 0},
                                                                      {"utc", 0},
                                                                      {"ut", 0},
                                                                      {"edt", -4},
                                                                      {"est", -5},
                                                                      {"cdt", -5},
                                                                      {"cst", -6},
                                                                      {"mdt", -6},
                                                                      {"mst", -7},
                                                                      {"pdt", -7},
                                                                      {"pst", -8}}};

// Whole names, or their first three letters.
template <size_t N>
std::optional<unsigned> index_of(const std::array<std::string_view, N>& names,
                                 std::string_view text) {
  const auto lower = to_lower(text);
  const auto found = std::find_if(names.begin(), names.end(), [&](std::string_view name) {
    return lower == to_lower(name) || lower == to_lower(short_name(name));
  });
  if (found == names.end()) return std::nullopt;
  return static_cast<unsigned>(found - names.begin());
}

// Exactly so many digits that fit `least` to `most`.
std::optional<int> parse_digits(std::string_view text, size_t least, size_t most) {
  if (text.size() < least || text.size() > most) return std::nullopt;
  const auto value = parse_uint(text);
  if (!value) return std::nullopt;
  return static_cast<int>(*value);
}

std::vector<std::string_view> words_of(std::string_view text) {
  auto words = split(text, ' ');
  std::erase(words, std::string_view());
  return words;
}

std::optional<std::chrono::seconds> parse_time_of_day(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 2 && parts.size() != 3) return std::nullopt;
  const auto hour = parse_digits(parts[0], 2, 2);
  const auto minute = parse_digits(parts[1], 2, 2);
  const auto second = parts.size() == 3 ? parse_digits(parts[2], 2, 2) : 0;
  // 60 is a leap second (RFC 2822 section 3.3).
  if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
    return std::nullopt;
  return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

// Years of two and three digits: RFC 2822 section 4.3.
std::optional<int> parse_year(std::string_view text) {
  const auto year = parse_digits(text, 2, 4);
  if (!year || text.size() == 4) return year;
  return *year + (text.size() == 2 && *year < 50 ? 2000 : 1900);
}

std::optional<std::chrono::minutes> parse_zone(std::string_view text) {
  const auto lower = to_lower(text);
  if (lower.size() == 1 && lower[0] >= 'a' && lower[0] <= 'z' && lower[0] != 'j')
    return std::chrono::minutes(0);
  const auto named =
      std::find_if(kZones.begin(), kZones.end(), [&](const auto& z) { return z.first == lower; });
  if (named != kZones.end()) return std::chrono::hours(named->second);
  // A '+' that was not escaped in the query arrives as a space: bare digits are east.
  const bool west = text.starts_with('-');
  if (west || text.starts_with('+')) text.remove_prefix(1);
  std::string plain(text);
  if (plain.size() == 5 && plain[2] == ':') plain.erase(2, 1);
  const auto digits = parse_digits(plain, 4, 4);
  if (!digits || *digits % 100 > 59) return std::nullopt;
  const auto offset = std::chrono::hours(*digits / 100) + std::chrono::minutes(*digits % 100);
  return west ? -offset : offset;
}

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
    const auto found = std::ranges::find(kMonths, rest_.substr(0, 3), short_name);
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

// A moment, taken apart in UTC.
struct Parts {
  explicit Parts(SystemTime t)
      : day(std::chrono::floor<std::chrono::days>(t)),
        date(day),
        time(std::chrono::floor<std::chrono::milliseconds>(t) - day) {}

  std::chrono::sys_days day;
  std::chrono::year_month_day date;
  std::chrono::hh_mm_ss<std::chrono::milliseconds> time;
};

}  // namespace

std::optional<SystemTime> parse_mail_date(std::string_view text) {
  if (text.ends_with(')')) text = text.substr(0, text.find('('));
  if (const auto comma = text.find(','); comma != std::string_view::npos) {
    if (!index_of(kDays, trim(text.substr(0, comma)))) return std::nullopt;
    text.remove_prefix(comma + 1);
  }
  const auto words = words_of(text);
  if (words.size() != 4 && words.size() != 5) return std::nullopt;
  const auto day = parse_digits(words[0], 1, 2);
  const auto month = index_of(kMonths, words[1]);
  const auto year = parse_year(words[2]);
  const auto time = parse_time_of_day(words[3]);
  const auto zone = words.size() == 5 ? parse_zone(words[4]) : std::chrono::minutes(0);
  if (!day || !month || !year || !time || !zone) return std::nullopt;
  const auto date = std::chrono::year(*year) / static_cast<int>(*month + 1) / *day;
  if (!date.ok()) return std::nullopt;
  return SystemTime(std::chrono::sys_days(date) + *time - *zone);
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

std::string format_iso8601(SystemTime t) {
  const Parts parts(t);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", int(parts.date.year()),
                     unsigned(parts.date.month()), unsigned(parts.date.day()),
                     parts.time.hours().count(), parts.time.minutes().count(),
                     parts.time.seconds().count(), parts.time.subseconds().count());
}

std::string format_rfc3339(SystemTime t) {
  const auto second = std::chrono::floor<std::chrono::seconds>(t);
  const auto text = format_iso8601(second);  // with ".000Z"
  return fmt::format("{}.{:06}Z", std::string_view(text).substr(0, text.size() - 5),
                     (t - second).count());
}

std::string format_http_date(SystemTime t) {
  const Parts parts(t);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     short_name(kDays.at(std::chrono::weekday(parts.day).c_encoding())),
                     unsigned(parts.date.day()),
                     short_name(kMonths.at(unsigned(parts.date.month()) - 1)),
                     int(parts.date.year()), parts.time.hours().count(),
                     parts.time.minutes().count(), parts.time.seconds().count());
}

}  // namespace eventhorn
