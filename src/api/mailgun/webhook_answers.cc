#include "api/mailgun/webhook_answers.h"

#include "api/domains.h"
#include "base/strings.h"

namespace eventhorn::api {
namespace {

constexpr size_t kQuotedNameBytes = 64;

}  // namespace

http::Response refused(std::string_view reason) {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("message").value(reason).key("Reason").value(reason).end_object();
  return http::json_response(400, std::move(body));
}

http::Refusal refused(const Error& error) {
  if (error.code == Errc::kInvalidArgument) return refused(error.message);
  return error;
}

http::Response unknown_hook(std::string_view name) {
  return refused("Invalid webhook id: " + clipped(name, kQuotedNameBytes));
}

void write_urls(json::Writer& w, const std::vector<std::string>& urls) {
  w.begin_object().key("urls").begin_array();
  for (const auto& url : urls) w.value(url);
  w.end_array().end_object();
}

http::Response webhooks_response(const store::Domain& domain) {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("webhooks").begin_object();
  for (const auto hook : webhook::kAllHooks) {
    const auto urls = domain.urls(hook);
    if (urls.empty()) continue;
    w.key(webhook::to_string(hook));
    write_urls(w, urls);
  }
  w.end_object().end_object();
  return http::json_response(200, std::move(body));
}

Result<std::string> settable_domain(const Services& services, const std::string& given) {
  std::string name = to_lower(given);
  if (services.directory.find(name)) return name;
  if (!services.options.auto_create) return fail(Errc::kNotFound, "Domain not found");
  TRY_STATUS(check_domain_name(name));
  return name;
}

}  // namespace eventhorn::api
