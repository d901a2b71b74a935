// /eventhorn/v1/audit: who changed what, when and from where.
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/write.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, read_list_query(context.request));
  uint64_t before = 0;
  if (!query.page.empty()) {
    CO_TRY(const auto place, parse_place(query.page, 1));
    before = place[0];
  }
  const auto entries = services.audit.read(before, query.limit);
  List out;
  for (const auto& entry : entries) {
    auto& w = out.items().begin_object().key("id").value(entry.id);
    write_time(w, "at", entry.at);
    w.key("key_id").value(entry.key_id).key("address").value(entry.address);
    w.key("method").value(entry.method).key("path").value(entry.path).end_object();
  }
  const auto next = entries.empty() ? query.page : format_place({entries.back().id});
  co_return http::json_response(200, out.finish(next_url(context.request, next)));
}

}  // namespace

std::vector<http::Route> audit_routes(Services& services) {
  return {{"GET", "/eventhorn/v1/audit", Access::kKeys, kNoBody, bound(services, list)}};
}

}  // namespace eventhorn::api
