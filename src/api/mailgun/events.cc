// GET /v3/{domain}/events and the URLs of its pages (spec: Events API).
#include "api/domains.h"
#include "api/event_range.h"
#include "api/fields.h"
#include "api/page_token.h"
#include "api/parameters.h"
#include "api/services.h"
#include "base/check.h"
#include "base/strings.h"
#include "control/damage_report.h"
#include "event/filter.h"
#include "http/forms.h"
#include "json/writer.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <utility>

namespace eventhorn::api {
namespace {

using store::PageCursor;

// What one request holds in memory is bounded by these: a page may have fewer events than its limit
// while more follow.
constexpr size_t kMaxSliceEvents = 100;
constexpr size_t kMaxPageBytes = size_t{8} << 20;
// Rows and bytes looked at by one call of the store: a few milliseconds of a reader's thread, then
// other requests have their turn.
constexpr size_t kMaxSliceScan = 4096;
constexpr size_t kMaxSliceBytes = size_t{2} << 20;
// The same for filters that take long over large events.
constexpr std::chrono::milliseconds kMaxSliceTime{50};
constexpr size_t kMaxQuotedBytes = 64;

struct Page {
  std::vector<store::EventPtr> events;  // in the range's direction
  // Where the page before this one ends; nullopt for the end of the range.
  std::optional<PageCursor> previous;
  // Where the page after this one begins; nullopt for the beginning of the range.
  std::optional<PageCursor> next;
  // Ids of the events that this page would have, were their records in the log not damaged.
  std::vector<std::string> damaged;
};

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

// The first page of a query. Parameters that are not known are ignored.
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

// A token decides everything: clients repeat their parameters beside it, in part or all of them.
Result<PageToken> requested_page(const Services& services, const http::Request& request,
                                 DomainUid domain, std::string token) {
  http::Form query;
  if (token.empty()) {
    TRY(query, http::parse_query(request.query));
    token = query.first("page").value_or("");
  }
  if (token.empty()) return parse_event_query(query, later_now(services));
  // Java clients send all that follows `/events/` in a page's URL as one escaped segment.
  return decode_page_token(std::string_view(token).substr(0, token.find('?')), domain,
                           services.keys.token_key());
}

store::PageQuery store_query(DomainUid domain, const PageToken& token,
                             const event::Filter& filter) {
  store::PageQuery query;
  query.domain = domain;
  query.ascending = token.range.ascending == token.forward;
  query.first_us = query.ascending ? token.range.from_us : token.range.to_us - 1;
  query.last_us = query.ascending ? token.range.to_us : token.range.from_us - 1;
  query.beyond = token.cursor;
  query.max_scan = kMaxSliceScan;
  query.max_bytes = kMaxSliceBytes;
  if (!filter.empty()) {
    query.may_match = [&filter](event::Name name, event::Severity severity) {
      return filter.may_match(name, severity);
    };
    query.terms = filter.term_query();
    query.matches = [&filter](std::string_view bytes) { return filter.matches(bytes); };
  }
  return query;
}

// `events` in the direction they were read. `stopped_at` is set when the reading was given up with
// more rows to look at.
Page make_page(const PageToken& token, std::vector<store::EventPtr> events,
               std::optional<PageCursor> stopped_at) {
  Page page{std::move(events), {}, {}, {}};
  auto& here = token.forward ? page.next : page.previous;
  auto& back = token.forward ? page.previous : page.next;
  if (page.events.empty()) {
    // The same cursor again: later it may show what arrives until then. All there is now lies on
    // its other side.
    here = token.cursor;
    return page;
  }
  const auto cursor_of = [](const store::EventPtr& e) {
    return PageCursor{e->event.timestamp_us, e->event.id};
  };
  back = cursor_of(page.events.front());
  // Not the last row looked at, as long as all rows were: a late event behind the last one shown
  // must still be found.
  here = stopped_at ? std::move(stopped_at) : cursor_of(page.events.back());
  if (!token.forward) std::reverse(page.events.begin(), page.events.end());
  return page;
}

// Slice by slice, until the page is full, the range ends, the deadline has come or the client is
// gone, which nobody is told. kInvalidArgument
// for a filter that lets nothing through until then: an empty page would mean the end, and clients
// would repeat what they take for a fault of the server.
Task<Result<Page>> read_page(const Services& services, DomainUid domain, const PageToken& token,
                             const http::RequestContext& context) {
  CO_TRY(const auto filter, event::Filter::parse(token.terms));
  auto query = store_query(domain, token, filter);
  std::vector<store::EventPtr> events;
  std::vector<std::string> damaged;
  std::optional<PageCursor> stopped_at;
  const Deadline deadline = std::min<Deadline>(
      context.deadline, services.clock.steady_now() + services.options.query_timeout);
  SteadyTime slice_end{};
  query.give_up = [&] { return services.clock.steady_now() >= slice_end; };
  const auto read = [&] {
    slice_end = std::min<SteadyTime>(deadline, services.clock.steady_now() + kMaxSliceTime);
    return services.store.pages.read_page(query);
  };
  auto& readers = filter.empty() ? services.readers : services.searchers;
  for (size_t bytes = 0; events.size() < token.limit && bytes < kMaxPageBytes;) {
    query.max_events = std::min(token.limit - events.size(), kMaxSliceEvents);
    CO_TRY(auto slice, co_await run_blocking(readers, read));
    for (auto& e : slice.events) {
      bytes += e->event.bytes.size();
      events.push_back(std::move(e));
    }
    std::ranges::move(slice.damaged, std::back_inserter(damaged));
    if (slice.at_end) break;
    CHECK(slice.reached);
    query.beyond = std::move(slice.reached);
    if (context.client_gone()) co_return fail(Errc::kCancelled, "the client is gone");
    if (services.clock.steady_now() < deadline) continue;
    if (events.empty()) {
      co_return fail(
          Errc::kInvalidArgument,
          "the search takes too long: narrow the range with begin and end, or add a filter on "
          "recipient, message-id, tags, subject, from, to, list or attachment");
    }
    stopped_at = query.beyond;
    break;
  }
  auto page = make_page(token, std::move(events), std::move(stopped_at));
  page.damaged = std::move(damaged);
  co_return page;
}

// `prefix` is the URL up to the token.
std::string render_paging(const Page& page, PageToken token, const std::string& prefix,
                          DomainUid domain, const crypto::HmacKey& key) {
  std::string out;
  json::Writer writer(out);
  const auto write_url = [&](std::string_view name, bool forward,
                             std::optional<PageCursor> cursor) {
    token.forward = forward;
    token.cursor = std::move(cursor);
    const auto text = encode_page_token(token, domain, key);
    // In the query as well, for clients that keep only that of a URL (mailgun-python's stream()).
    writer.key(name).value(prefix + text + "?page=" + text);
  };
  writer.begin_object();
  write_url("next", true, page.next);
  write_url("previous", false, page.previous);
  write_url("first", true, std::nullopt);
  write_url("last", false, std::nullopt);
  writer.end_object();
  return out;
}

// In one go, without a copy of all that is megabytes long.
std::string render(const Page& page, const std::string& paging, bool pretty) {
  size_t size = paging.size() + 64;
  for (const auto& e : page.events) size += e->event.bytes.size() + 1;
  std::string out;
  out.reserve(pretty ? size * 3 / 2 : size);
  size_t depth = 0;
  const auto add = [&](std::string_view part) {
    pretty ? json::append_pretty(out, part, depth) : void(out.append(part));
  };
  add(page.events.empty() ? R"({"items":[])" : R"({"items":[)");
  for (size_t i = 0; i < page.events.size(); ++i) {
    if (i > 0) add(",");
    add(page.events[i]->event.bytes);
  }
  add(page.events.empty() ? R"(,"paging":)" : R"(],"paging":)");
  add(paging);
  add("}");
  return out;
}

Task<http::Reply> list_events(Services& services, control::DamageReport& damage,
                              http::RequestContext& context, std::string path_token) {
  CO_TRY(const auto domain, find_domain(services, context));
  const DomainUid uid = domain->uid;
  CO_TRY(const auto token, requested_page(services, context.request, uid, std::move(path_token)));
  CO_TRY(const auto page, co_await read_page(services, uid, token, context));
  // The name as the client wrote it: Ruby's looks for it in the URL.
  const auto prefix = context.request.base + "/v3/" + context.params.at("domain") + "/events/";
  // Pages may be megabytes, too long for a core.
  const auto write = [&] {
    const auto paging = render_paging(page, token, prefix, uid, services.keys.token_key());
    return render(page, paging, token.pretty);
  };
  auto body = co_await run_blocking(services.readers, write);
  auto response = http::json_response(200, std::move(body));
  if (!page.damaged.empty()) {
    damage.add(domain->name, page.damaged);
    response.fields.add("X-Eventhorn-Damaged", std::to_string(page.damaged.size()));
  }
  co_return response;
}

}  // namespace

std::vector<http::Route> event_routes(Services& services) {
  const auto damage = std::make_shared<control::DamageReport>(services.notices, services.clock);
  const auto by_query = [&services, damage](http::RequestContext& context) {
    return list_events(services, *damage, context, {});
  };
  const auto by_token = [&services, damage](http::RequestContext& context) {
    return list_events(services, *damage, context, context.params.at("token"));
  };
  return {{"GET", "/v3/{domain}/events", Access::kKey, kNoBody, by_query},
          {"GET", "/v3/{domain}/events/{token}", Access::kKey, kNoBody, by_token}};
}

}  // namespace eventhorn::api
