#include "api/event_query.h"

#include "api/parameters.h"
#include "base/strings.h"
#include "event/filter.h"

#include <algorithm>
#include <array>
#include <utility>

namespace eventhorn::api {
namespace {

constexpr size_t kMaxQuotedBytes = 64;

Result<unsigned> parse_limit(std::string_view text) {
  text = trim(text);
  if (text.empty()) return PageToken().limit;
  const auto limit = parse_uint(text);
  if (!limit || *limit == 0)
    return fail(Errc::kInvalidArgument, "limit must be a whole number from 1 to 300");
  return static_cast<unsigned>(std::min<uint64_t>(*limit, kMaxPageLimit));
}

// Whether a query asks for other events without it.
bool is_parameter(std::string_view name) {
  constexpr std::array<std::string_view, 6> kOthers = {"begin", "end",    "ascending",
                                                       "limit", "pretty", "page"};
  return event::Filter::is_field(name) || std::ranges::find(kOthers, name) != kOthers.end();
}

}  // namespace

Result<PageToken> parse_event_query(const http::Form& query, SystemTime now) {
  const auto given = [&](std::string_view name) { return query.first(name).value_or(""); };
  PageToken page;
  TRY(page.range, parse_event_range(given("begin"), given("end"), given("ascending"), now));
  TRY(page.limit, parse_limit(given("limit")));
  TRY(const auto pretty, parse_flag("pretty", given("pretty")));
  page.pretty = pretty.value_or(true);
  for (const auto& field : query.fields()) {
    const std::string_view name = http::list_name(field.name);
    if (event::Filter::is_field(name)) page.terms.emplace_back(name, field.value);
    const auto bracket = name.find('[');
    if (bracket != std::string_view::npos && is_parameter(name.substr(0, bracket))) {
      return fail(Errc::kInvalidArgument, escape_for_log(field.name, kMaxQuotedBytes) +
                                              ": brackets must be empty or hold a number");
    }
  }
  TRY(const auto filter, event::Filter::parse(std::move(page.terms)));
  page.terms = filter.terms();
  TRY_STATUS(check_terms_size(page.terms));
  return page;
}

}  // namespace eventhorn::api
