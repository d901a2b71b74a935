// /v3/domains and /v4/domains (spec: messages, "Domains (minimal)"): the same under both.
#include "api/domains.h"

#include "api/fields.h"
#include "api/handlers.h"
#include "api/parameters.h"
#include "base/dates.h"
#include "base/strings.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

constexpr uint64_t kDefaultLimit = 100;
constexpr uint64_t kMaxLimit = 1000;

// Clients are strict about what the fields may hold, so those that mean nothing here have Mailgun's
// usual values.
void write_domain(json::Writer& w, const store::Domain& domain) {
  w.begin_object();
  w.key("created_at").value(format_http_date(domain.created_at));
  w.key("id").value(domain.id);
  w.key("is_disabled").value(false);
  w.key("name").value(domain.name);
  w.key("require_tls").value(false);
  w.key("skip_verification").value(false);
  w.key("smtp_login").value("postmaster@" + domain.name);
  w.key("spam_action").value("disabled");
  w.key("state").value("active");
  w.key("type").value("custom");
  w.key("use_automatic_sender_security").value(false);
  w.key("web_prefix").value("email");
  w.key("web_scheme").value("https");
  w.key("wildcard").value(false);
  w.end_object();
}

http::Response domain_response(std::string_view message, const store::Domain& domain) {
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (!message.empty()) w.key("message").value(message);
  w.key("domain");
  write_domain(w, domain);
  w.key("receiving_dns_records").begin_array().end_array();
  w.key("sending_dns_records").begin_array().end_array();
  w.end_object();
  return http::json_response(200, std::move(body));
}

Task<http::Reply> create(Services& services, http::RequestContext& context) {
  CO_TRY(const auto form, read_form(context.request));
  const std::string name(form.first("name").value_or(""));
  if (name.empty()) co_return missing_parameter("name");
  bool existed = false;
  CO_TRY(const auto domain, co_await create_domain(services, name, &existed));
  if (existed) co_return http::message_response(400, "This domain name is already taken");
  co_return domain_response("Domain DNS records have been created", *domain);
}

Result<std::string> list_json(const Services& services, std::string_view query_text) {
  TRY(const auto query, http::parse_query(query_text));
  TRY(const auto limit, read_number(query, "limit", kDefaultLimit, 1, kMaxLimit));
  TRY(const auto skip, read_number(query, "skip", 0, 0, UINT32_MAX));
  const auto page = services.directory.page(skip, limit);
  std::string body;
  json::Writer w(body);
  w.begin_object().key("total_count").value(services.directory.size()).key("items").begin_array();
  for (const auto& domain : page) write_domain(w, *domain);
  w.end_array().end_object();
  return body;
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  const auto read = [&] { return list_json(services, context.request.query); };
  CO_TRY(auto body, co_await run_blocking(services.readers, read));
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> get(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  co_return domain_response("", *domain);
}

Task<http::Reply> remove(Services& services, http::RequestContext& context) {
  const auto edit = [](const store::DomainPtr& current, Position) -> Result<store::DomainPtr> {
    if (!current) return fail(Errc::kNotFound, "Domain not found");
    return store::DomainPtr();
  };
  const std::string name = to_lower(context.params.at("domain"));
  CO_TRY_STATUS(co_await services.appends.edit(name, edit));
  co_return http::message_response(200, "Domain will be deleted in the background");
}

}  // namespace

std::vector<http::Route> domain_routes(Services& services) {
  std::vector<http::Route> routes;
  for (const std::string base : {"/v3/domains", "/v4/domains"}) {
    routes.push_back({"GET", base, Access::kKey, kNoBody, bound(services, list)});
    routes.push_back({"POST", base, Access::kKey, kFormBody, bound(services, create)});
    routes.push_back({"GET", base + "/{domain}", Access::kKey, kNoBody, bound(services, get)});
    routes.push_back({"DELETE", base + "/{domain}", Access::kKey, kNoBody,
                      without_fields(bound(services, remove))});
  }
  return routes;
}

}  // namespace eventhorn::api
