#include "api/own/range_query.h"

#include "base/strings.h"

namespace eventhorn::api {

Result<PageToken> parse_range_query(const http::Form& query, SystemTime now) {
  TRY(auto out, parse_event_query(query, now));
  const auto begin = query.first("begin").value_or("");
  TRY(out.range, parse_event_range(trim(begin).empty() ? "0" : begin,
                                   query.first("end").value_or(""), "yes", now));
  return out;
}

}  // namespace eventhorn::api
