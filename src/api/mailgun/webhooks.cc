// /v3/domains/{domain}/webhooks (spec: webhooks, "v3"): messages and errors are Mailgun's, word for
// word.
#include "api/check_url.h"
#include "api/domains.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/mailgun/webhook_answers.h"
#include "api/mailgun/webhooks_by_url.h"
#include "base/strings.h"
#include "control/endpoint_settings.h"
#include "crypto/random.h"
#include "event/sample.h"
#include "json/writer.h"
#include "webhook/payload.h"
#include "webhook/standard.h"

#include <fmt/format.h>

#include <algorithm>

namespace eventhorn::api {
namespace {

using webhook::Hook;

http::Response webhook_response(std::string_view message, const std::vector<std::string>& urls) {
  std::string body;
  json::Writer w(body);
  w.begin_object();
  if (!message.empty()) w.key("message").value(message);
  w.key("webhook");
  write_urls(w, urls);
  w.end_object();
  return http::json_response(200, std::move(body));
}

/// The form's URLs, each once, in the order given; or the answer when there are none, or more than
/// `max_urls`, or one is not acceptable. A field left blank is one not given.
Task<tl::expected<std::vector<std::string>, http::Refusal>> read_urls(Services& services,
                                                                      const http::Form& form,
                                                                      size_t max_urls) {
  std::vector<std::string> urls;
  for (const auto url : form.all("url")) {
    if (!url.empty() && std::ranges::find(urls, url) == urls.end()) urls.emplace_back(url);
  }
  if (urls.empty()) co_return fail(missing_parameter("url"));
  if (urls.size() > max_urls) {
    co_return fail(refused(fmt::format("Maximum number of URLs ({}) exceeded", max_urls)));
  }
  for (const auto& url : urls) {
    const auto checked = co_await check_url(services, url);
    if (!checked) co_return fail(refused(checked.error()));
  }
  co_return urls;
}

enum class Expected { kUnset, kSet };

// Whether the hook is set is decided within the edit: of two calls at the same time one comes
// first. So is the creation of the domain, which a refused call leaves undone.
Task<Result<store::DomainChange>> set_urls(Services& services, const std::string& domain, Hook hook,
                                           const std::vector<std::string>& urls,
                                           Expected expected) {
  const NewDomain unknown(services, domain);
  const auto edit = [&](const store::DomainPtr& current, Position at) -> Result<store::DomainPtr> {
    if (!current && !services.options.auto_create) return fail(Errc::kNotFound, "Domain not found");
    auto next = current ? std::make_shared<store::Domain>(*current) : unknown.made_at(at);
    const bool is_set = !next->hooks[static_cast<size_t>(hook)].empty();
    if (is_set && expected == Expected::kUnset) {
      return fail(Errc::kInvalidArgument, fmt::format("Webhook for event type '{}' already exists",
                                                      webhook::to_string(hook)));
    }
    if (!is_set && expected == Expected::kSet) return fail(Errc::kNotFound, "Webhook not found");
    store::set_hook_urls(*next, hook, urls, at);
    return store::DomainPtr(std::move(next));
  };
  auto change = co_await services.appends.edit(domain, edit);
  if (!change) co_return change;
  for (const auto& url : urls) co_await services.deliveries.configured(url);
  co_return change;
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  co_return webhooks_response(*domain);
}

Task<http::Reply> get(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  const auto hook = webhook::parse_hook(context.params.at("name"));
  const auto urls = hook ? domain->urls(*hook) : std::vector<std::string>();
  if (urls.empty()) co_return http::message_response(404, "Webhook not found");
  co_return webhook_response("", urls);
}

/// The fields that setting a webhook knows. Some clients repeat the name in a body (mailgun-ruby).
constexpr std::array<std::string_view, 2> kKnownFields = {"id", "url"};

Task<http::Reply> create(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, settable_domain(services, context.params.at("domain")));
  CO_TRY(const auto form, read_form(context.request));
  const auto name = form.first("id").value_or("");
  // As mailgun-python sends what is meant for v4 (spec: webhooks, "Compatibility alias").
  if (name.empty() && form.first(kEventTypes)) co_return co_await add_url(services, context);
  if (name.empty()) co_return missing_parameter("id");
  CO_TRY_STATUS(check_known(context.request, form, kKnownFields));
  const auto hook = webhook::parse_hook(name);
  if (!hook) co_return unknown_hook(name);
  CO_TRY(const auto urls, co_await read_urls(services, form, webhook::kMaxUrlsPerHook));
  const auto change = co_await set_urls(services, domain, *hook, urls, Expected::kUnset);
  if (!change) co_return fail(refused(change.error()));
  co_return webhook_response("Webhook has been created", urls);
}

Task<http::Reply> update(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, settable_domain(services, context.params.at("domain")));
  const auto hook = webhook::parse_hook(context.params.at("name"));
  if (!hook) co_return unknown_hook(context.params.at("name"));
  CO_TRY(const auto form, read_form(context.request));
  CO_TRY_STATUS(check_known(context.request, form, kKnownFields));
  CO_TRY(const auto urls, co_await read_urls(services, form, webhook::kMaxUrlsPerHook));
  CO_TRY_STATUS(co_await set_urls(services, domain, *hook, urls, Expected::kSet));
  co_return webhook_response("Webhook has been updated", urls);
}

Task<http::Reply> remove(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  const auto hook = webhook::parse_hook(context.params.at("name"));
  if (!hook) co_return http::message_response(404, "Webhook not found");
  const std::vector<std::string> none;
  CO_TRY(const auto change, co_await set_urls(services, domain->name, *hook, none, Expected::kSet));
  co_return webhook_response("Webhook has been deleted", change.before->urls(*hook));
}

struct SignedSample {
  std::string body;
  std::string extra_head;
};

SignedSample signed_sample(const Services& services, std::string_view domain, Hook hook,
                           const store::EndpointSettings& for_url) {
  crypto::RandomPool pool;
  const SystemTime now = services.clock.now();
  const std::string id = base64url_encode(crypto::random_bytes(16));
  const auto keys = services.keys.signing_keys();
  const auto signature = webhook::make_signature(*keys.current, now, pool);
  std::string body = webhook::payload_prefix(signature);
  body += event::make_sample(webhook::to_string(hook), domain, services.keys.account_id(), now, id);
  body += webhook::kPayloadSuffix;
  std::string head = webhook::previous_signature_head(keys, signature);
  const std::array<std::string_view, 1> pieces = {body};
  head += webhook::standard_head(control::standard_secrets(for_url), id, now, pieces);
  return {std::move(body), std::move(head)};
}

// `code` is null for 200 and otherwise what came back; an attempt without answer is reported as a
// bad gateway.
std::string test_report(const outbound::ClientReply& reply) {
  const auto& result = reply.result;
  std::string body;
  json::Writer w(body);
  std::optional<int> code;
  if (result.status != 200) code = result.status == 0 ? 502 : result.status;
  w.begin_object().key("code").value(code);
  w.key("message").value(result.status == 0 ? result.error : reply.body).end_object();
  return body;
}

// The sample goes out as a delivery would but is nowhere kept: it is no event of the domain.
Task<http::Reply> test(Services& services, http::RequestContext& context) {
  CO_TRY(const auto name, settable_domain(services, context.params.at("domain")));
  const auto hook = webhook::parse_hook(context.params.at("name"));
  if (!hook) co_return unknown_hook(context.params.at("name"));
  CO_TRY(const auto form, read_form(context.request));
  CO_TRY(const auto urls, co_await read_urls(services, form, 1));
  CO_TRY(const auto domain, co_await find_or_create_domain(services, name));
  const auto read = [&] {
    return control::load_endpoint_settings(services.store.values, urls.front());
  };
  CO_TRY(const auto for_url, co_await run_blocking(services.readers, read));
  auto sample = signed_sample(services, domain->name, *hook, for_url);
  const Deadline limit = services.clock.steady_now() + services.options.attempt_timeout;
  const auto reply =
      co_await services.post(urls.front(), for_url, std::move(sample.body),
                             std::move(sample.extra_head), std::min(limit, context.deadline));
  co_return http::json_response(200, test_report(reply));
}

}  // namespace

std::vector<http::Route> webhook_routes(Services& services) {
  const auto row = [&](const char* method, const char* below, http::RouteHandler handler) {
    return http::Route{method, std::string("/v3/domains/{domain}/webhooks") + below,
                       Access::kKeyWithinLimit, kFormBody, std::move(handler)};
  };
  return {
      row("GET", "", bound(services, list)),
      row("POST", "", bound(services, create)),
      row("PUT", "", bound(services, set_url_types)),
      row("DELETE", "", bound(services, remove_urls)),
      row("GET", "/{name}", bound(services, get)),
      row("PUT", "/{name}", bound(services, update)),
      row("DELETE", "/{name}", without_fields(bound(services, remove))),
      row("PUT", "/{name}/test", bound(services, test)),
  };
}

}  // namespace eventhorn::api
