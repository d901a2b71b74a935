// Queries of events: the parameters that the Events API and our own lists of events share.
#pragma once

#include "api/page_token.h"
#include "base/result.h"
#include "base/time.h"
#include "http/forms.h"

namespace eventhorn::api {

/// The first page of what `query` asks for: begin, end, ascending (event_range.h), limit, pretty
/// and the filters (event/filter.h), which may repeat. Parameters that are not known are ignored.
/// kInvalidArgument, naming the parameter, for others.
Result<PageToken> parse_event_query(const http::Form& query, SystemTime now);

}  // namespace eventhorn::api
