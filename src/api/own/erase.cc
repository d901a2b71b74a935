// DELETE /eventhorn/v1/{domain}/recipients/{address}: erases a recipient, behind the answer.
// GET of the same tells how far that is.
#include "api/domains.h"
#include "api/handlers.h"
#include "control/erasures.h"
#include "event/erasure.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

// What is not touched, as JSON.
std::string not_touched(const Services& services) {
  std::string out;
  json::Writer w(out);
  w.begin_array();
  for (const auto& name : services.quarantines()) w.value(name);
  w.value("backups").end_array();
  return out;
}

http::Response answer(const Services& services, const control::Erasure& erasure) {
  const bool done = erasure.phase == control::ErasePhase::kDone;
  return http::json_response(done ? 200 : 202, control::to_json(erasure, not_touched(services)));
}

Task<http::Reply> erase(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto address, event::normal_address(context.params.at("address")));
  const auto begin = [&] { return services.erasures.begin(domain->uid, address); };
  CO_TRY(const auto erasure, co_await run_blocking(services.writer, begin));
  co_return answer(services, erasure);
}

Task<http::Reply> look(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto address, event::normal_address(context.params.at("address")));
  const auto erasure = services.erasures.find(domain->uid, address);
  if (!erasure) co_return fail(Errc::kNotFound, "address: was not erased");
  co_return answer(services, *erasure);
}

}  // namespace

std::vector<http::Route> erase_routes(Services& services) {
  const std::string path = "/eventhorn/v1/{domain}/recipients/{address}";
  return {{"DELETE", path, Access::kKey, kNoBody, bound(services, erase)},
          {"GET", path, Access::kKey, kNoBody, bound(services, look)}};
}

}  // namespace eventhorn::api
