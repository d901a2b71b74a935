// What polls and streams are asked for: where to begin, how much, how long, which events. Pure.
#pragma once

#include "api/positions.h"
#include "base/result.h"
#include "event/filter.h"
#include "http/forms.h"

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

namespace eventhorn::api {

/// Where somebody begins to follow.
struct FollowStart {
  enum class Kind {
    kBeginning,  // of what is kept: "0"
    kNow,        // "now"
    kAt,         // behind `at`
  };

  Kind kind = Kind::kNow;
  NamedPosition at{};
};

/// kInvalidArgument naming the parameter.
Result<FollowStart> parse_follow_start(std::string_view name, std::string_view text);

struct FollowQuery {
  FollowStart start;
  size_t limit = 100;  // 1 to 1000
  std::chrono::milliseconds wait{0};
  event::Filter filter;
};

/// `known` are the parameters that the route takes beside filters, of "after", "limit" and "wait",
/// each at most once. kInvalidArgument, naming the parameter, for others and for values that are
/// none.
Result<FollowQuery> parse_follow_query(const http::Form& query,
                                       std::span<const std::string_view> known);

}  // namespace eventhorn::api
