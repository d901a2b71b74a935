// Which events a query asks for, and in which direction: `begin`, `end` and `ascending` of the
// Events API (spec: Events API, "Parameters" and "Direction"). Pure.
#pragma once

#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <string_view>

namespace eventhorn::api {

/// The timestamps from_us <= t < to_us, in microseconds since the epoch.
struct EventRange {
  int64_t from_us = 0;
  int64_t to_us = 0;
  bool ascending = false;
  friend bool operator==(const EventRange&, const EventRange&) = default;
};

/// 2101-01-01: where ascending ranges without an end do end. No date of a query is so late.
inline constexpr int64_t kOpenEndUs = 4'133'980'800'000'000;

/// The range of a query; an empty text is a parameter that was not given.
///  - A date is RFC 2822 (day name, seconds and zone optional; one- or two-digit day; comment at
///    the end; years and zones of section 4.3; names in full and "+00:00" too) or seconds since
///    the epoch with or without fraction, kept to the microsecond; from 1970 to 2100.
///  - `begin` defaults to `now`; descending, to the end of this second. With `end` the direction
///  follows from the two; [begin, end) ascending, (end, begin]
///    descending. Without, it is `ascending`, by default no: to the end of retention, or to the
///    open end.
/// kInvalidArgument "Invalid date: ..." naming the parameter; as parse_flag() for `ascending`; and,
/// with dates and flag as Python writes them, "Inconsistent range: begin=2015-11-13 15:11:49+00:00,
/// end=2015-11-13 15:11:49+00:00, ascending=True" when begin and end are the same or contradict
/// `ascending`.
Result<EventRange> parse_event_range(std::string_view begin, std::string_view end,
                                     std::string_view ascending, SystemTime now);

}  // namespace eventhorn::api
