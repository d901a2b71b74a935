#include "api/event_range.h"

#include "api/fields.h"
#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::api {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"monday", "tuesday",  "wednesday", "thursday",
                                                   "friday", "saturday", "sunday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};

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
    return lower == name || lower == name.substr(0, 3);
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

std::optional<SystemTime> parse_epoch(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  // Also false for NaN. A double of this size tells microseconds apart.
  if (!(seconds >= 0 && seconds < static_cast<double>(kOpenEndUs) / 1e6)) return std::nullopt;
  return from_micros(std::llround(seconds * 1e6));
}

Result<SystemTime> parse_date(std::string_view name, std::string_view text, SystemTime missing) {
  text = trim(text);
  if (text.empty()) return missing;
  auto time = parse_epoch(text);
  if (!time) time = parse_mail_date(text);
  if (!time || to_micros(*time) < 0 || to_micros(*time) >= kOpenEndUs) {
    return fail(Errc::kInvalidArgument,
                "Invalid date: " + std::string(name) +
                    " must be an RFC 2822 date or seconds since the epoch, from 1970 to 2100");
  }
  return *time;
}

std::string as_python(SystemTime t) {
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(t - day);
  auto out = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", static_cast<int>(date.year()),
                         static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                         time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:06}", time.subseconds().count());
  return out + "+00:00";
}

const char* as_python(std::optional<bool> flag) {
  if (!flag) return "None";
  return *flag ? "True" : "False";
}

}  // namespace

Result<EventRange> parse_event_range(std::string_view begin_text, std::string_view end_text,
                                     std::string_view ascending_text, SystemTime now) {
  TRY(const auto begin, parse_date("begin", begin_text, now));
  TRY(const auto end, parse_date("end", end_text, now));
  TRY(const auto ascending, parse_flag("ascending", ascending_text));
  const int64_t begin_us = to_micros(begin);
  const int64_t end_us = to_micros(end);
  // Ingest gives an event of a whole second a fraction, so what arrived just now may lie ahead of
  // `now`.
  const bool from_now = trim(begin_text).empty();
  const int64_t below_us =
      from_now ? to_micros(std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(1))
               : begin_us + 1;
  if (trim(end_text).empty()) {
    if (ascending.value_or(false)) return EventRange{begin_us, kOpenEndUs, true};
    return EventRange{0, below_us, false};
  }
  const bool upwards = end > begin;
  if (end == begin || ascending.value_or(upwards) != upwards) {
    return fail(Errc::kInvalidArgument,
                fmt::format("Inconsistent range: begin={}, end={}, ascending={}", as_python(begin),
                            as_python(end), as_python(ascending)));
  }
  if (upwards) return EventRange{begin_us, end_us, true};
  return EventRange{end_us + 1, below_us, false};
}

}  // namespace eventhorn::api
