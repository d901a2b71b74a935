#include "api/mailgun/webhooks_by_url.h"

#include "api/check_url.h"
#include "api/domains.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/mailgun/webhook_answers.h"
#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace eventhorn::api {
namespace {

using webhook::Hook;

/// A URL and the webhooks that are to have it.
struct UrlHooks {
  std::string url;
  std::vector<Hook> hooks;  // each once, in the order of webhook::kAllHooks
};

constexpr std::array<std::string_view, 2> kKnownFields = {"url", kEventTypes};
constexpr size_t kMaxRemoved = 100;
constexpr std::string_view kUnknownUrl = "Webhook not found";

bool has(const std::vector<std::string>& urls, std::string_view url) {
  return std::ranges::find(urls, url) != urls.end();
}

bool has_url(const store::Domain& domain, std::string_view url) {
  return std::ranges::any_of(domain.lanes, [&](const auto& lane) { return lane.url == url; });
}

// Some clients show `message`; `Description` is what is documented (spec: webhooks, "v4").
http::Response not_found() {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("message").value(kUnknownUrl);
  w.key("Description").value(kUnknownUrl).end_object();
  return http::json_response(404, std::move(body));
}

http::Response missing_url() {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("message").value("Missing parameter 'url'");
  w.key("Field").value("url").end_object();
  return http::json_response(400, std::move(body));
}

/// The hooks that a form names, or the answer.
tl::expected<std::vector<Hook>, http::Refusal> read_event_types(const http::Form& form) {
  std::array<bool, webhook::kHooks> named{};
  bool any = false;
  for (const auto value : form.all(kEventTypes)) {
    for (const auto piece : split(value, ',')) {
      const auto name = trim(piece);
      if (name.empty()) continue;
      const auto hook = webhook::parse_hook(name);
      if (!hook) return fail(unknown_hook(name));
      any = named[static_cast<size_t>(*hook)] = true;
    }
  }
  if (!any) return fail(missing_parameter(kEventTypes));
  std::vector<Hook> out;
  for (const Hook hook : webhook::kAllHooks) {
    if (named[static_cast<size_t>(hook)]) out.push_back(hook);
  }
  return out;
}

/// What a call that sets is given. `prefix` stands before what is wrong with the URL.
Task<tl::expected<UrlHooks, http::Refusal>> read_url_hooks(Services& services,
                                                           const http::Request& request,
                                                           std::string_view prefix) {
  CO_TRY(const auto form, read_form(request));
  CO_TRY_STATUS(check_known(request, form, kKnownFields));
  UrlHooks out;
  for (const auto url : form.all("url")) {
    if (url.empty() || url == out.url) continue;
    if (!out.url.empty()) co_return fail(refused("url: must be given once"));
    out.url = url;
  }
  if (out.url.empty()) co_return fail(missing_parameter("url"));
  CO_TRY(out.hooks, read_event_types(form));
  const auto checked = co_await check_url(services, out.url);
  if (checked) co_return out;
  if (checked.error().code != Errc::kInvalidArgument) co_return fail(checked.error());
  co_return fail(refused(std::string(prefix) + checked.error().message));
}

/// The webhook has the URL, too, behind those that it has.
Status add(store::Domain& domain, Hook hook, const std::string& url, Position at) {
  auto urls = domain.urls(hook);
  if (urls.size() >= webhook::kMaxUrlsPerHook) {
    return fail(Errc::kInvalidArgument,
                fmt::format("Maximum number of URLs ({}) exceeded", webhook::kMaxUrlsPerHook));
  }
  urls.push_back(url);
  store::set_hook_urls(domain, hook, urls, at);
  return {};
}

void remove(store::Domain& domain, Hook hook, const std::string& url, Position at) {
  auto urls = domain.urls(hook);
  if (std::erase(urls, url) > 0) store::set_hook_urls(domain, hook, urls, at);
}

/// Of a query: the URLs that the domain has are taken as they are, whatever commas they have;
/// others end where a comma and the scheme of the next one follow.
std::vector<std::string> read_removed(const http::Form& query, const store::Domain& domain) {
  std::vector<std::string> out;
  const auto take = [&](std::string_view url) {
    if (!url.empty() && !has(out, url)) out.emplace_back(url);
  };
  for (std::string_view rest : query.all("url")) {
    while (!has_url(domain, rest)) {
      const auto next = std::min(rest.find(",http://"), rest.find(",https://"));
      if (next == std::string_view::npos) break;
      take(trim(rest.substr(0, next)));
      rest.remove_prefix(next + 1);
    }
    take(trim(rest));
  }
  return out;
}

http::Refusal refusal_of(const Error& error) {
  if (error.code == Errc::kNotFound && error.message == kUnknownUrl) return not_found();
  return refused(error);
}

}  // namespace

Task<http::Reply> add_url(Services& services, http::RequestContext& context) {
  CO_TRY(const auto name, settable_domain(services, context.params.at("domain")));
  CO_TRY(const auto given, co_await read_url_hooks(services, context.request, ""));
  const NewDomain unknown(services, name);
  const auto edit = [&](const store::DomainPtr& current, Position at) -> Result<store::DomainPtr> {
    if (!current && !services.options.auto_create) return fail(Errc::kNotFound, "Domain not found");
    auto next = current ? std::make_shared<store::Domain>(*current) : unknown.made_at(at);
    for (const Hook hook : given.hooks) {
      if (has(next->urls(hook), given.url)) {
        return fail(Errc::kInvalidArgument,
                    fmt::format("Webhook for event type '{}' with URL '{}' already exists",
                                webhook::to_string(hook), given.url));
      }
      TRY_STATUS(add(*next, hook, given.url, at));
    }
    return store::DomainPtr(std::move(next));
  };
  const auto change = co_await services.appends.edit(name, edit);
  if (!change) co_return fail(refusal_of(change.error()));
  co_await services.deliveries.configured(given.url);
  co_return webhooks_response(*change->after);
}

Task<http::Reply> set_url_types(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto given,
         co_await read_url_hooks(services, context.request, "invalid parameters: "));
  const auto edit = [&](const store::DomainPtr& current, Position at) -> Result<store::DomainPtr> {
    if (!current) return fail(Errc::kNotFound, "Domain not found");
    if (!has_url(*current, given.url)) return fail(Errc::kNotFound, std::string(kUnknownUrl));
    auto next = std::make_shared<store::Domain>(*current);
    // Those that are to have it first: the lane of a URL ends when no webhook names it.
    for (const Hook hook : given.hooks) {
      if (!has(next->urls(hook), given.url)) TRY_STATUS(add(*next, hook, given.url, at));
    }
    for (const Hook hook : webhook::kAllHooks) {
      if (std::ranges::find(given.hooks, hook) == given.hooks.end())
        remove(*next, hook, given.url, at);
    }
    return store::DomainPtr(std::move(next));
  };
  const auto change = co_await services.appends.edit(domain->name, edit);
  if (!change) co_return fail(refusal_of(change.error()));
  co_await services.deliveries.configured(given.url);
  co_return webhooks_response(*change->after);
}

Task<http::Reply> remove_urls(Services& services, http::RequestContext& context) {
  CO_TRY(const auto domain, find_domain(services, context));
  CO_TRY(const auto query, http::parse_query(context.request.query));
  constexpr FieldRule kFields[] = {{"url", Shape::kMany}};
  CO_TRY_STATUS(check_fields(query.fields(), kFields));
  const auto urls = read_removed(query, *domain);
  if (urls.empty()) co_return missing_url();
  if (urls.size() > kMaxRemoved)
    co_return refused(fmt::format("url: at most {} in one call", kMaxRemoved));
  const auto edit = [&](const store::DomainPtr& current, Position at) -> Result<store::DomainPtr> {
    if (!current) return fail(Errc::kNotFound, "Domain not found");
    auto next = std::make_shared<store::Domain>(*current);
    for (const auto& url : urls) {
      if (!has_url(*current, url)) return fail(Errc::kNotFound, std::string(kUnknownUrl));
      for (const Hook hook : webhook::kAllHooks) remove(*next, hook, url, at);
    }
    return store::DomainPtr(std::move(next));
  };
  const auto change = co_await services.appends.edit(domain->name, edit);
  if (!change) co_return fail(refusal_of(change.error()));
  co_return webhooks_response(*change->after);
}

std::vector<http::Route> webhook_by_url_routes(Services& services) {
  const auto row = [&](const char* method, Handler handler) {
    return http::Route{method, "/v4/domains/{domain}/webhooks", Access::kKeyWithinLimit, kFormBody,
                       bound(services, handler)};
  };
  return {row("POST", add_url), row("PUT", set_url_types), row("DELETE", remove_urls)};
}

}  // namespace eventhorn::api
