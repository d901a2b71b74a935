// Dates as texts: of mail (RFC 5322), of HTTP (RFC 9110) and ISO 8601. Pure, thread-safe.
#pragma once

#include "base/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace eventhorn {

/// "Wed, 11 Mar 2026 09:00:03 +0000" as RFC 2822 writes it, with its obsolete forms: two-digit
/// years, named and military zones, comments at the end, no seconds, no zone (UTC). Whole names of
/// days and months are taken too, and a zone whose '+' was lost in a query. The day's name is not
/// compared with the date. nullopt for anything else.
std::optional<SystemTime> parse_mail_date(std::string_view text);

/// IMF-fixdate or one of the two obsolete forms (RFC 9110 section 5.6.7); two-digit years are
/// within 50 years of `now`'s. The day's name is not compared with the date. nullopt for anything
/// else.
std::optional<SystemTime> parse_http_date(std::string_view text, SystemTime now);

/// "2026-03-11T09:45:12.418Z": ISO 8601 with milliseconds, UTC.
std::string format_iso8601(SystemTime t);

/// "2026-03-11T09:45:12.418007Z": RFC 3339 with microseconds, UTC.
std::string format_rfc3339(SystemTime t);

/// "Wed, 11 Mar 2026 09:00:03 GMT": RFC 9110 section 5.6.7 (IMF-fixdate), two-digit day. Go's RFC
/// 1123 parser needs it.
std::string format_http_date(SystemTime t);

}  // namespace eventhorn
