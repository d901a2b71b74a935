// POST /v1/analytics/logs: the events of all domains by what a JSON object asks for (spec: Logs).
#include "api/event_page.h"
#include "api/handlers.h"
#include "api/mailgun/logs_item.h"
#include "api/mailgun/logs_query.h"
#include "api/positions.h"
#include "base/dates.h"
#include "control/damage_report.h"
#include "json/writer.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace eventhorn::api {
namespace {

// A query is as long as kMaxTermsBytes and a token at most; JSON may escape it six times as long.
constexpr http::BodyLimit kQueryBody{size_t{64} * 1024};

constexpr std::string_view kAdvice =
    "narrow start and end, or filter by recipient, message_id, tag, subject, from, to, list or "
    "domain";

std::shared_ptr<const store::DomainSet> domains_of(const Services& services,
                                                   const LogsQuery& query) {
  if (query.domains.empty()) return domains_of_account(services);
  store::DomainSet out{kOnlyAccount, {}};
  for (const auto& domain : services.directory.all())
    if (query.takes_domain(domain->name)) out.domains.push_back(domain->uid);
  std::ranges::sort(out.domains);
  return std::make_shared<store::DomainSet>(std::move(out));
}

EventSearch search_of(const LogsQuery& query) {
  EventSearch out;
  out.advice = kAdvice;
  if (query.filter.empty()) return out;
  out.may_match = [&query](event::Name name, event::Severity severity) {
    return query.filter.may_match(name, severity);
  };
  out.terms = query.filter.term_query();
  out.matches = [&query](std::string_view bytes) { return query.filter.matches(bytes); };
  return out;
}

// As mail has it: clients compare with what they sent.
std::string mail_date(int64_t us) {
  auto out = format_http_date(from_micros(us));
  out.replace(out.rfind("GMT"), 3, "+0000");
  return out;
}

// Tokens; the page before the first is empty, and so is that behind an empty one: a client that
// goes on while there is a token ends as well as one that goes on while there are items.
void write_pagination(json::Writer& w, const EventPage& page, const LogsQuery& query,
                      const std::optional<size_t>& total, const crypto::HmacKey& key) {
  const auto token = [&](bool forward, std::optional<store::PageCursor> cursor) {
    PageToken of = query.page;
    of.forward = forward;
    of.cursor = std::move(cursor);
    return encode_logs_token(query, of, key);
  };
  const bool first = query.page.forward && !query.page.cursor;
  const bool behind = query.page.forward && page.events.empty();
  const bool before = first || (!query.page.forward && page.events.empty());
  w.key("pagination").begin_object();
  w.key("previous").value(before ? std::string() : token(false, page.previous));
  w.key("next").value(behind ? std::string() : token(true, page.next));
  w.key("first").value(token(true, std::nullopt));
  w.key("last").value(token(false, std::nullopt));
  if (total) w.key("total").value(*total);
  w.end_object();
}

// What is known: all there is stands on this page.
void write_aggregates(json::Writer& w, const EventPage& page, bool known) {
  w.key("aggregates").begin_object();
  if (known) {
    std::map<std::string_view, size_t> metrics;
    for (const auto& e : page.events) ++metrics[event::to_string(e->event.name)];
    w.key("all").value(page.events.size());
    w.key("metrics").begin_object();
    for (const auto& [name, count] : metrics) w.key(name).value(count);
    w.end_object();
  }
  w.end_object();
}

std::string render(const EventPage& page, const LogsQuery& query, const crypto::HmacKey& key) {
  size_t size = 8192;
  for (const auto& e : page.events) size += e->event.bytes.size() + 256;
  std::string out;
  out.reserve(size);
  json::Writer w(out);
  w.begin_object();
  w.key("start").value(mail_date(query.page.range.from_us));
  w.key("end").value(mail_date(query.page.range.to_us));
  w.key("items").begin_array();
  for (const auto& e : page.events) {
    std::string item;
    append_logs_item(item, e->event);
    w.raw(item);
  }
  w.end_array();
  const bool whole = !query.page.cursor && page.at_end && page.damaged.empty();
  const bool known = query.include_totals && whole;
  write_pagination(w, page, query, known ? std::optional(page.events.size()) : std::nullopt, key);
  write_aggregates(w, page, known);
  w.end_object();
  return out;
}

Task<http::Reply> list_logs(Services& services, control::DamageReport& damage,
                            http::RequestContext& context) {
  const auto& key = services.keys.token_key();
  CO_TRY(const auto query, parse_logs_query(context.request.body, later_now(services), key));
  auto search = search_of(query);
  const auto find = [&] { return domains_of(services, query); };
  search.domains = co_await run_blocking(services.searchers, find);
  // Before the page: what is committed later may be missing in it.
  const auto seen = services.store.order.last_commit();
  CO_TRY(const auto page, co_await read_event_page(services, search, query.page, context));
  const auto write = [&] { return render(page, query, key); };
  auto response = http::json_response(200, co_await run_blocking(services.readers, write));
  add_position(response, {services.store.order.generation(), seen.position}, seen.at);
  if (!page.damaged.empty()) {
    damage.add("the account", page.damaged);
    response.fields.add("X-Eventhorn-Damaged", std::to_string(page.damaged.size()));
  }
  co_return response;
}

}  // namespace

std::vector<http::Route> logs_routes(Services& services) {
  const auto damage = std::make_shared<control::DamageReport>(services.notices, services.clock);
  return {{"POST", "/v1/analytics/logs", Access::kReading, kQueryBody,
           [&services, damage](http::RequestContext& context) {
             return list_logs(services, *damage, context);
           }}};
}

}  // namespace eventhorn::api
