// /eventhorn/v1/domains/{domain}/settings: what a domain has in place of the installation's.
#include "api/domains.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/own/schedule.h"
#include "base/strings.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

constexpr FieldRule kFields[] = {{"retry_schedule", Shape::kMany}};

http::Response settings_response(const store::Domain& domain) {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("domain").value(domain.name);
  write_schedule(w, "retry_schedule", domain.retry_schedule);
  w.end_object();
  return http::json_response(200, std::move(body));
}

Task<http::Reply> get(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  co_return settings_response(*domain);
}

Task<http::Reply> put(Services& services, http::RequestContext& context) {
  CO_TRY(const auto form, read_fields(context.request, kFields));
  if (!form.first("retry_schedule")) co_return missing_parameter("retry_schedule");
  CO_TRY(const auto schedule, parse_schedule(form));
  const auto edit = [&](const store::DomainPtr& current, Position) -> Result<store::DomainPtr> {
    if (!current) return fail(Errc::kNotFound, "Domain not found");
    auto next = std::make_shared<store::Domain>(*current);
    next->retry_schedule = schedule;
    return store::DomainPtr(std::move(next));
  };
  const std::string name = to_lower(context.params.at("domain"));
  CO_TRY(const auto change, co_await services.appends.edit(name, edit));
  co_return settings_response(*change.after);
}

}  // namespace

std::vector<http::Route> domain_settings_routes(Services& services) {
  const std::string path = "/eventhorn/v1/domains/{domain}/settings";
  return {{"GET", path, Access::kKey, kNoBody, bound(services, get)},
          {"PUT", path, Access::kKey, kFormBody, bound(services, put)}};
}

}  // namespace eventhorn::api
