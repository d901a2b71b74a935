#include "api/event_range.h"

#include "api/fields.h"
#include "api/parameters.h"
#include "base/dates.h"
#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace eventhorn::api {
namespace {

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
