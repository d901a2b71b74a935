// POST /eventhorn/v1/{domain}/reconcile: a client sends the ids that it has, one a line, and gets
// the events of a range that it lacks; on the first page also which of its ids are of no event
// here.
#include "api/domains.h"
#include "api/event_page.h"
#include "api/own/range_query.h"
#include "base/strings.h"
#include "http/forms.h"
#include "json/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::api {
namespace {

constexpr http::BodyLimit kIdsBody{size_t{16} << 20};
constexpr size_t kMaxIds = 500'000;
// Looked up by one call of the store.
constexpr size_t kIdsAtOnce = 4096;

bool is_id(std::string_view text) {
  const auto is_graph = [](char c) { return c > 0x20 && c < 0x7f; };
  return text.size() <= event::kMaxIdBytes && std::ranges::all_of(text, is_graph);
}

// In order, each once. Views of `body`.
Result<std::vector<std::string_view>> parse_ids(std::string_view body) {
  std::vector<std::string_view> out;
  for (size_t line = 1; !body.empty(); ++line) {
    const auto end = std::min(body.find('\n'), body.size());
    const auto id = trim(body.substr(0, end));
    body.remove_prefix(std::min(end + 1, body.size()));
    if (id.empty()) continue;
    if (!is_id(id)) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("line {} is no event id: it must be 1 to {} printable ASCII "
                              "characters",
                              line, event::kMaxIdBytes));
    }
    if (out.size() == kMaxIds) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("at most {} ids: look at the digest first, and send those of the "
                              "minutes that differ",
                              kMaxIds));
    }
    out.push_back(id);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// Those of `ids` that the domain never had, or no longer than a week after their events went.
Task<Result<std::vector<std::string_view>>> find_unknown(const Services& services, DomainUid domain,
                                                         const std::vector<std::string_view>& ids,
                                                         const http::RequestContext& context) {
  std::vector<std::string_view> out;
  for (size_t done = 0; done < ids.size(); done += kIdsAtOnce) {
    if (services.clock.steady_now() >= context.deadline || context.client_gone())
      co_return fail(Errc::kInvalidArgument, "the ids are too many to look up in time: send fewer");
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(done);
    const std::vector<std::string> some(
        begin, begin + static_cast<std::ptrdiff_t>(std::min(kIdsAtOnce, ids.size() - done)));
    const auto find = [&] { return services.store.log.find_events(domain, some); };
    CO_TRY(const auto found, co_await run_blocking(services.searchers, find));
    for (size_t i = 0; i < found.size(); ++i)
      if (found[i] == kNoPosition) out.push_back(ids[done + i]);
  }
  co_return out;
}

std::string render(const EventPage& page, const std::vector<std::string_view>& unknown,
                   const std::string& next) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  writer.key("items").begin_array();
  for (const auto& e : page.events) writer.raw(e->event.bytes);
  writer.end_array();
  writer.key("unknown").begin_array();
  for (const auto id : unknown) writer.value(id);
  writer.end_array();
  writer.key("paging").begin_object();
  writer.key("next").value(next);
  writer.end_object();
  writer.end_object();
  return out;
}

Task<http::Reply> reconcile(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto query, http::parse_query(context.request.query));
  const auto& key = services.keys.token_key();
  const std::string token(query.first("page").value_or(""));
  const bool first = token.empty();
  CO_TRY(auto page, first ? parse_range_query(query, later_now(services))
                          : decode_page_token(token, domain->uid, key));
  const std::string_view body = context.request.body;
  const auto parse = [body] { return parse_ids(body); };
  CO_TRY(const auto ids, co_await run_blocking(services.searchers, parse));
  std::vector<std::string_view> unknown;
  if (first) {
    CO_TRY(unknown, co_await find_unknown(services, domain->uid, ids, context));
  }
  CO_TRY(const auto filter, event::Filter::parse(page.terms));
  EventSearch search;
  search.domain = domain->uid;
  search.filter_by(filter);
  search.wants_id = [&](std::string_view id) { return !std::ranges::binary_search(ids, id); };
  CO_TRY(const auto found, co_await read_event_page(services, search, page, context));
  page.cursor = found.next;
  const std::string next = context.request.base + "/eventhorn/v1/" + context.params.at("domain") +
                           "/reconcile?page=" + encode_page_token(page, domain->uid, key);
  const auto write = [&] { return render(found, unknown, next); };
  auto response = http::json_response(200, co_await run_blocking(services.readers, write));
  if (!found.damaged.empty())
    response.fields.add("X-Eventhorn-Damaged", std::to_string(found.damaged.size()));
  co_return response;
}

}  // namespace

std::vector<http::Route> reconcile_routes(Services& services) {
  return {{"POST", "/eventhorn/v1/{domain}/reconcile", Access::kReading, kIdsBody,
           [&services](auto& context) { return reconcile(services, context); }}};
}

}  // namespace eventhorn::api
