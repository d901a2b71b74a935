#include "api/own/follow_query.h"

#include "api/page_token.h"
#include "api/parameters.h"
#include "base/duration.h"
#include "base/strings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace eventhorn::api {
namespace {

constexpr uint64_t kMaxLimit = 1000;
constexpr std::chrono::seconds kMaxWait{55};

Result<std::chrono::milliseconds> parse_wait(std::string_view text) {
  const auto seconds = parse_uint(text);
  const auto wait = seconds ? parse_duration(std::string(text) + "s") : parse_duration(text);
  if (!wait || *wait > kMaxWait) return invalid("wait", "must be from 0s to 55s");
  return *wait;
}

}  // namespace

Result<FollowStart> parse_follow_start(std::string_view name, std::string_view text) {
  using Kind = FollowStart::Kind;
  if (text == "0") return FollowStart{Kind::kBeginning};
  if (text == "now") return FollowStart{Kind::kNow};
  TRY(const auto at, parse_position(name, text));
  return FollowStart{Kind::kAt, at};
}

Result<FollowQuery> parse_follow_query(const http::Form& query,
                                       std::span<const std::string_view> known) {
  FollowQuery out;
  event::Filter::Terms terms;
  std::set<std::string_view> given;
  for (const auto& field : query.fields()) {
    const auto name = http::list_name(field.name);
    if (event::Filter::is_field(name)) {
      terms.emplace_back(name, field.value);
      continue;
    }
    if (std::ranges::find(known, std::string_view(field.name)) == known.end()) {
      return invalid(field.name, fmt::format("is not known here: may be a filter or {}",
                                             fmt::join(known, ", ")));
    }
    if (!given.insert(field.name).second) return invalid(field.name, "must be given once");
    if (field.name == "after") {
      TRY(out.start, parse_follow_start("after", field.value));
    } else if (field.name == "limit") {
      TRY(out.limit, parse_number("limit", field.value, 1, kMaxLimit));
    } else if (field.name == "wait") {
      TRY(out.wait, parse_wait(field.value));
    }
  }
  TRY_STATUS(check_terms_size(terms));
  TRY(out.filter, event::Filter::parse(std::move(terms)));
  return out;
}

}  // namespace eventhorn::api
