// GET /v3/{domain}/events, and /v3/events of all domains as data pipelines ask, and the URLs of
// their pages (spec: Events API).
#include "api/domains.h"
#include "api/event_page.h"
#include "api/event_query.h"
#include "api/fields.h"
#include "api/page_token.h"
#include "api/parameters.h"
#include "api/positions.h"
#include "api/sealed_token.h"
#include "api/services.h"
#include "control/damage_report.h"
#include "http/forms.h"
#include "json/writer.h"

#include <memory>
#include <utility>

namespace eventhorn::api {
namespace {

// A token decides everything: clients repeat their parameters beside it, in part or all of them.
Result<PageToken> requested_page(const Services& services, const http::Request& request,
                                 DomainUid owner, std::string token) {
  http::Form query;
  if (token.empty()) {
    TRY(query, http::parse_query(request.query));
    token = query.first("page").value_or("");
  }
  if (token.empty()) return parse_event_query(query, later_now(services));
  // Java clients send all that follows `/events/` in a page's URL as one escaped segment.
  return decode_page_token(std::string_view(token).substr(0, token.find('?')), owner,
                           services.keys.token_key());
}

// `prefix` is the URL up to the token.
std::string render_paging(const EventPage& page, PageToken token, const std::string& prefix,
                          DomainUid owner, const crypto::HmacKey& key) {
  std::string out;
  json::Writer writer(out);
  const auto write_url = [&](std::string_view name, bool forward,
                             std::optional<store::PageCursor> cursor) {
    token.forward = forward;
    token.cursor = std::move(cursor);
    const auto text = encode_page_token(token, owner, key);
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
std::string render(const EventPage& page, const std::string& paging, bool pretty) {
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

enum class Of { kDomain, kAccount };

/// What is listed.
struct Listed {
  EventSearch search;
  DomainUid owner;     // of page tokens
  std::string name;    // to operators
  std::string prefix;  // of the URLs of pages, up to the token
};

Task<Result<Listed>> find_listed(const Services& services, const http::RequestContext& context,
                                 Of of) {
  Listed out;
  if (of == Of::kAccount) {
    const auto find = [&] { return domains_of_account(services); };
    out.search.domains = co_await run_blocking(services.searchers, find);
    out.owner = token_owner(kOnlyAccount);
    out.name = "the account";
    out.prefix = context.request.base + "/v3/events/";
    co_return out;
  }
  CO_TRY(const auto domain, find_domain(services, context));
  out.search.domain = out.owner = domain->uid;
  out.name = domain->name;
  // As the client wrote it: Ruby's looks for it in the URL.
  out.prefix = context.request.base + "/v3/" + context.params.at("domain") + "/events/";
  co_return out;
}

Task<http::Reply> list_events(Services& services, control::DamageReport& damage,
                              http::RequestContext& context, Of of, std::string path_token) {
  CO_TRY(auto listed, co_await find_listed(services, context, of));
  CO_TRY(const auto token,
         requested_page(services, context.request, listed.owner, std::move(path_token)));
  CO_TRY(const auto filter, event::Filter::parse(token.terms));
  listed.search.filter_by(filter);
  // Before the page: what is committed later may be missing in it.
  const auto seen = services.store.order.last_commit();
  CO_TRY(const auto page, co_await read_event_page(services, listed.search, token, context));
  // Pages may be megabytes, too long for a core.
  const auto write = [&] {
    const auto paging =
        render_paging(page, token, listed.prefix, listed.owner, services.keys.token_key());
    return render(page, paging, token.pretty);
  };
  auto body = co_await run_blocking(services.readers, write);
  auto response = http::json_response(200, std::move(body));
  add_position(response, {services.store.order.generation(), seen.position}, seen.at);
  if (!page.damaged.empty()) {
    damage.add(listed.name, page.damaged);
    response.fields.add("X-Eventhorn-Damaged", std::to_string(page.damaged.size()));
  }
  co_return response;
}

}  // namespace

std::vector<http::Route> event_routes(Services& services) {
  const auto damage = std::make_shared<control::DamageReport>(services.notices, services.clock);
  const auto by_query = [&services, damage](Of of) {
    return [&services, damage, of](http::RequestContext& context) {
      return list_events(services, *damage, context, of, {});
    };
  };
  const auto by_token = [&services, damage](Of of) {
    return [&services, damage, of](http::RequestContext& context) {
      return list_events(services, *damage, context, of, context.params.at("token"));
    };
  };
  return {
      {"GET", "/v3/{domain}/events", Access::kKey, kNoBody, by_query(Of::kDomain)},
      {"GET", "/v3/{domain}/events/{token}", Access::kKey, kNoBody, by_token(Of::kDomain)},
      {"GET", "/v3/events", Access::kKey, kNoBody, by_query(Of::kAccount)},
      {"GET", "/v3/events/{token}", Access::kKey, kNoBody, by_token(Of::kAccount)},
  };
}

}  // namespace eventhorn::api
