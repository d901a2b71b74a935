// The events of a range of time, for routes that compare what a client has with what there is.
#pragma once

#include "api/event_query.h"

namespace eventhorn::api {

/// As parse_event_query(), always ascending: [begin, end) by the events' own time. `begin` defaults
/// to the beginning, `end` to the open end.
Result<PageToken> parse_range_query(const http::Form& query, SystemTime now);

}  // namespace eventhorn::api
