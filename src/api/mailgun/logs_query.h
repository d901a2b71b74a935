// A query of the Logs API: the JSON object that is posted, and the tokens of its pages (spec:
// Logs). Pure.
#pragma once

#include "api/page_token.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/hash.h"
#include "event/log_filter.h"

#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::api {

inline constexpr unsigned kMaxLogsLimit = 100;

/// Conditions and values of a query, at most, together.
inline constexpr size_t kMaxLogsValues = 100;

struct LogsQuery {
  /// Which page of which range; without terms.
  PageToken page;
  bool include_totals = false;

  /// Of the event.
  event::LogFilter filter;

  /// Of the domain's name.
  struct DomainCondition {
    event::LogFilter::Comparator comparator;
    std::vector<std::string> values;  // lower case
  };

  std::vector<DomainCondition> domains;
  /// What the filters were made from, in one spelling: JSON, at most kMaxTermsBytes; empty when
  /// there are none.
  std::string filter_text;

  bool takes_domain(std::string_view name) const;
};

/// The query in a request's body; an empty one asks for the last day. With a `pagination.token` the
/// token decides range, order and filters; filters beside it must be the same. kInvalidArgument,
/// naming the field and the rule, for what is not known or not as it must be.
Result<LogsQuery> parse_logs_query(std::string_view body, SystemTime now,
                                   const crypto::HmacKey& key);

/// Of the page of `query` that `page` is.
std::string encode_logs_token(const LogsQuery& query, const PageToken& page,
                              const crypto::HmacKey& key);

}  // namespace eventhorn::api
