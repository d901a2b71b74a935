#include "api/mailgun/logs_query.h"

#include "api/parameters.h"
#include "api/sealed_token.h"
#include "base/dates.h"
#include "base/strings.h"
#include "json/reader.h"
#include "json/writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

namespace eventhorn::api {
namespace {

using event::LogFilter;
using json::Value;
using Texts = std::vector<std::string>;

constexpr auto kDay = std::chrono::hours(24);
// A duration is no longer: dates begin in 1970.
constexpr auto kLongest = std::chrono::hours(24) * 36'500;

constexpr std::array<std::string_view, 9> kFields = {"start",         "end",
                                                     "duration",      "events",
                                                     "metric_events", "include_subaccounts",
                                                     "filter",        "include_totals",
                                                     "pagination"};

/// What a query filters by, as it was given.
struct Filters {
  struct Condition {
    std::string attribute;
    std::string comparator;
    Texts values;
  };

  Texts events;
  Texts metric_events;
  std::vector<Condition> conditions;

  bool empty() const { return events.empty() && metric_events.empty() && conditions.empty(); }
};

Status check_members(const Value& object, std::string_view name,
                     std::span<const std::string_view> known) {
  for (const auto& member : *object.as_object()) {
    if (std::ranges::find(known, std::string_view(member.key)) != known.end()) continue;
    const auto path = name.empty() ? member.key : fmt::format("{}.{}", name, member.key);
    return invalid(path, fmt::format("is not known here: may be {}", fmt::join(known, ", ")));
  }
  return {};
}

/// Null where it is missing, or null.
const Value* find(const Value& object, std::string_view name) {
  const auto* value = object.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::string> read_text(const Value& object, std::string_view name, std::string_view path) {
  const auto* value = find(object, name);
  if (value == nullptr) return std::string();
  if (value->as_string() == nullptr) return invalid(path, "must be a text");
  return *value->as_string();
}

Result<bool> read_bool(const Value& object, std::string_view name) {
  const auto* value = find(object, name);
  if (value == nullptr) return false;
  const auto flag = value->as_bool();
  if (!flag) return invalid(name, "must be true or false");
  return *flag;
}

Result<Texts> read_texts(const Value& object, std::string_view name) {
  Texts out;
  const auto* list = find(object, name);
  if (list == nullptr) return out;
  if (list->as_array() == nullptr) return invalid(name, "must be a list of texts");
  for (const auto& element : *list->as_array()) {
    if (element.as_string() == nullptr) return invalid(name, "must be a list of texts");
    out.push_back(*element.as_string());
  }
  return out;
}

// {"label":..,"value":..}; the label is for people.
Result<Texts> read_values(const Value& condition, const std::string& path) {
  const auto* list = find(condition, "values");
  if (list == nullptr || list->as_array() == nullptr || list->as_array()->empty())
    return invalid(path + ".values", "must be a list of one or more {\"label\",\"value\"}");
  Texts out;
  for (const auto& element : *list->as_array()) {
    const auto* value = element.find("value");
    if (value == nullptr || value->as_string() == nullptr || value->as_string()->empty())
      return invalid(path + ".values",
                     "each must be an object with a text that is not empty in \"value\"");
    out.push_back(*value->as_string());
  }
  return out;
}

Result<Filters::Condition> read_condition(const Value& condition, const std::string& path) {
  static constexpr std::array<std::string_view, 3> kKnown = {"attribute", "comparator", "values"};
  if (condition.as_object() == nullptr)
    return invalid(path, "must be an object with attribute, comparator and values");
  TRY_STATUS(check_members(condition, path, kKnown));
  Filters::Condition out;
  TRY(out.attribute, read_text(condition, "attribute", path + ".attribute"));
  TRY(out.comparator, read_text(condition, "comparator", path + ".comparator"));
  for (const auto name : kKnown) {
    if (find(condition, name) == nullptr)
      return invalid(fmt::format("{}.{}", path, name), "is missing");
  }
  TRY(out.values, read_values(condition, path));
  return out;
}

Result<Filters> read_filters(const Value& body) {
  static constexpr std::array<std::string_view, 1> kKnown = {"AND"};
  Filters out;
  TRY(out.events, read_texts(body, "events"));
  TRY(out.metric_events, read_texts(body, "metric_events"));
  size_t count = out.events.size() + out.metric_events.size();
  if (const auto* filter = find(body, "filter")) {
    if (filter->as_object() == nullptr) return invalid("filter", "must be an object");
    TRY_STATUS(check_members(*filter, "filter", kKnown));
    const auto* all = find(*filter, "AND");
    if (all != nullptr && all->as_array() == nullptr)
      return invalid("filter.AND", "must be a list of conditions");
    for (size_t i = 0; all != nullptr && i < all->as_array()->size(); ++i) {
      TRY(auto condition, read_condition((*all->as_array())[i], fmt::format("filter.AND[{}]", i)));
      count += condition.values.size();
      out.conditions.push_back(std::move(condition));
    }
  }
  if (count > kMaxLogsValues)
    return invalid("filter", fmt::format("must have no more than {} values in all, events and "
                                         "metric_events included",
                                         kMaxLogsValues));
  return out;
}

void write_texts(json::Writer& w, std::string_view name, const Texts& texts) {
  w.key(name).begin_array();
  for (const auto& text : texts) w.value(text);
  w.end_array();
}

// As read_filters() takes them.
std::string write_filters(const Filters& filters) {
  std::string out;
  if (filters.empty()) return out;
  json::Writer w(out);
  w.begin_object();
  if (!filters.events.empty()) write_texts(w, "events", filters.events);
  if (!filters.metric_events.empty()) write_texts(w, "metric_events", filters.metric_events);
  if (!filters.conditions.empty()) {
    w.key("filter").begin_object().key("AND").begin_array();
    for (const auto& condition : filters.conditions) {
      w.begin_object();
      w.key("attribute").value(condition.attribute);
      w.key("comparator").value(condition.comparator);
      w.key("values").begin_array();
      for (const auto& value : condition.values)
        w.begin_object().key("value").value(value).end_object();
      w.end_array().end_object();
    }
    w.end_array().end_object();
  }
  w.end_object();
  return out;
}

Status use_filters(const Filters& filters, LogsQuery& out) {
  if (!filters.events.empty() || !filters.metric_events.empty())
    TRY_STATUS(out.filter.add_events(filters.events, filters.metric_events));
  for (size_t i = 0; i < filters.conditions.size(); ++i) {
    const auto& [attribute, comparator, values] = filters.conditions[i];
    const auto path = fmt::format("filter.AND[{}]", i);
    const auto parsed = LogFilter::parse_comparator(comparator);
    if (!parsed) return invalid(path + ".comparator", parsed.error().message);
    if (attribute == "domain") {
      Texts lower;
      for (const auto& value : values) lower.push_back(to_lower(value));
      out.domains.push_back({*parsed, std::move(lower)});
      continue;
    }
    if (const auto added = out.filter.add(attribute, *parsed, values); !added)
      return invalid(path, added.error().message);
  }
  out.filter_text = write_filters(filters);
  if (out.filter_text.size() > kMaxTermsBytes)
    return invalid("filter", fmt::format("must not be longer than {} bytes, events and "
                                         "metric_events included",
                                         kMaxTermsBytes));
  return {};
}

Result<std::optional<SystemTime>> read_date(const Value& body, std::string_view name) {
  TRY(const auto text, read_text(body, name, name));
  if (text.empty()) return std::optional<SystemTime>();
  const auto time = parse_mail_date(trim(text));
  if (!time || to_micros(*time) < 0 || to_micros(*time) >= kOpenEndUs)
    return invalid(name,
                   "must be an RFC 2822 date (\"Wed, 11 Mar 2026 09:00:00 +0000\") from 1970 to "
                   "2100");
  return time;
}

// Months, which Mailgun's metrics know, have no length of their own.
Result<std::optional<Micros>> read_duration(const Value& body) {
  TRY(const auto text, read_text(body, "duration", "duration"));
  if (text.empty()) return std::optional<Micros>();
  const auto number = parse_uint(std::string_view(text).substr(0, text.size() - 1));
  const bool days = text.ends_with('d');
  const auto most = static_cast<uint64_t>(kLongest / (days ? kDay : std::chrono::hours(1)));
  if (!number || *number == 0 || *number > most || (!days && !text.ends_with('h')))
    return invalid("duration", "must be a number of hours or days, as 12h or 7d");
  return std::optional<Micros>(*number * Micros(days ? kDay : std::chrono::hours(1)));
}

// As with the Events API the end of now is that of this second: an event of a whole second has got
// a fraction.
Result<EventRange> read_range(const Value& body, SystemTime now) {
  TRY(const auto start, read_date(body, "start"));
  TRY(const auto end, read_date(body, "end"));
  TRY(const auto duration, read_duration(body));
  const auto this_second = std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(1);
  const int64_t to_us = to_micros(end.value_or(this_second));
  const SystemTime last = end.value_or(now);
  int64_t from_us = to_micros(start.value_or(last - kDay));
  if (duration) from_us = to_micros(last - *duration);
  from_us = std::max<int64_t>(from_us, 0);
  if (from_us >= to_us) return invalid("start", "must be before end");
  return EventRange{from_us, to_us, false};
}

/// `pagination`: what is given of it.
struct Pagination {
  std::optional<bool> ascending;
  std::optional<unsigned> limit;
  std::string token;
};

Result<Pagination> read_pagination(const Value& body) {
  static constexpr std::array<std::string_view, 3> kKnown = {"sort", "token", "limit"};
  Pagination out;
  const auto* pagination = find(body, "pagination");
  if (pagination == nullptr) return out;
  if (pagination->as_object() == nullptr) return invalid("pagination", "must be an object");
  TRY_STATUS(check_members(*pagination, "pagination", kKnown));
  TRY(const auto sort, read_text(*pagination, "sort", "pagination.sort"));
  if (sort == "timestamp:asc" || sort == "timestamp:desc") {
    out.ascending = sort == "timestamp:asc";
  } else if (!sort.empty()) {
    return invalid("pagination.sort", "must be timestamp:asc or timestamp:desc");
  }
  TRY(out.token, read_text(*pagination, "token", "pagination.token"));
  if (const auto* limit = find(*pagination, "limit")) {
    const auto number = limit->as_int();
    if (!number || *number < 1)
      return invalid("pagination.limit",
                     fmt::format("must be a whole number from 1 to {}", kMaxLogsLimit));
    out.limit = static_cast<unsigned>(std::min<int64_t>(*number, kMaxLogsLimit));
  }
  return out;
}

enum Flag : uint64_t { kAscending = 1, kForward = 2, kCursor = 4, kAllFlags = 7 };

/// The page of a token, and its filters as text.
std::optional<std::pair<PageToken, std::string>> parse_token(std::string_view payload) {
  TokenReader in(payload);
  if (!in.is_of(TokenList::kLogs)) return std::nullopt;
  const uint64_t flags = in.number(1);
  PageToken page;
  page.range.ascending = (flags & kAscending) != 0;
  page.forward = (flags & kForward) != 0;
  page.limit = static_cast<unsigned>(in.number(2));
  page.range.from_us = static_cast<int64_t>(in.number(8));
  page.range.to_us = static_cast<int64_t>(in.number(8));
  if ((flags & kCursor) != 0) {
    const auto timestamp = static_cast<int64_t>(in.number(8));
    page.cursor = store::PageCursor{timestamp, {}, {in.number(8)}};
  }
  auto text = in.text(2);
  const bool limit_ok = page.limit > 0 && page.limit <= kMaxLogsLimit;
  if (!in.ok() || !in.at_end() || flags > kAllFlags || !limit_ok) return std::nullopt;
  return std::pair(page, std::move(text));
}

// The token decides, as with the Events API; what would narrow the call in another way is refused.
Status use_token(const Pagination& pagination, const Filters& given, const crypto::HmacKey& key,
                 LogsQuery& out) {
  TRY(const auto payload, open_token(pagination.token, token_owner(kOnlyAccount), key));
  auto token = parse_token(payload);
  if (!token) return refused_token();
  out.page = token->first;
  if (!given.empty() && write_filters(given) != token->second)
    return invalid("pagination.token",
                   "is of a query with other filters: send it with the same ones, or with none");
  if (pagination.ascending && *pagination.ascending != out.page.range.ascending)
    return invalid("pagination.sort", "must be that of the query that the token is of");
  if (pagination.limit) out.page.limit = *pagination.limit;
  if (token->second.empty()) return {};
  TRY(const auto filters, json::parse(token->second));
  TRY(const auto of_token, read_filters(filters));
  return use_filters(of_token, out);
}

bool compares(const LogsQuery::DomainCondition& condition, std::string_view name) {
  using Comparator = LogFilter::Comparator;
  const bool part = condition.comparator == Comparator::kContains ||
                    condition.comparator == Comparator::kContainsNot;
  const bool negated = condition.comparator == Comparator::kIsNot ||
                       condition.comparator == Comparator::kContainsNot;
  const bool any = std::ranges::any_of(condition.values, [&](std::string_view value) {
    return part ? name.find(value) != std::string_view::npos : name == value;
  });
  return any != negated;
}

}  // namespace

bool LogsQuery::takes_domain(std::string_view name) const {
  return std::ranges::all_of(domains, [&](const auto& c) { return compares(c, name); });
}

Result<LogsQuery> parse_logs_query(std::string_view body, SystemTime now,
                                   const crypto::HmacKey& key) {
  TRY(const auto value, json::parse(trim(body).empty() ? "{}" : body));
  if (value.as_object() == nullptr)
    return fail(Errc::kInvalidArgument, "the body must be a JSON object");
  TRY_STATUS(check_members(value, {}, kFields));
  LogsQuery out;
  TRY(out.include_totals, read_bool(value, "include_totals"));
  TRY([[maybe_unused]] const bool subaccounts, read_bool(value, "include_subaccounts"));
  TRY(const auto pagination, read_pagination(value));
  TRY(const auto range, read_range(value, now));
  TRY(const auto filters, read_filters(value));
  if (!pagination.token.empty()) {
    TRY_STATUS(use_token(pagination, filters, key, out));
    return out;
  }
  out.page.range = range;
  out.page.range.ascending = pagination.ascending.value_or(false);
  out.page.limit = pagination.limit.value_or(kMaxLogsLimit);
  TRY_STATUS(use_filters(filters, out));
  return out;
}

std::string encode_logs_token(const LogsQuery& query, const PageToken& page,
                              const crypto::HmacKey& key) {
  std::string out;
  put_list(out, TokenList::kLogs);
  put_number(out,
             (page.range.ascending ? kAscending : 0U) | (page.forward ? kForward : 0U) |
                 (page.cursor ? kCursor : 0U),
             1);
  put_number(out, page.limit, 2);
  put_number(out, static_cast<uint64_t>(page.range.from_us), 8);
  put_number(out, static_cast<uint64_t>(page.range.to_us), 8);
  if (page.cursor) {
    put_number(out, static_cast<uint64_t>(page.cursor->timestamp_us), 8);
    put_number(out, page.cursor->position.value, 8);
  }
  put_text(out, query.filter_text, 2);
  return seal_token(std::move(out), token_owner(kOnlyAccount), key);
}

}  // namespace eventhorn::api
