// /eventhorn/v1/endpoints/.../settings and .../secrets: what an operator sets for one URL. What was
// given as a secret is never shown again.
#include "control/endpoint_settings.h"

#include "api/check_url.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/list.h"
#include "api/own/endpoint_settings_fields.h"
#include "api/own/find_endpoints.h"
#include "api/own/write.h"
#include "base/strings.h"
#include "crypto/random.h"
#include "json/writer.h"
#include "webhook/standard.h"
#include "webhook/url.h"

#include <algorithm>

namespace eventhorn::api {
namespace {

using store::EndpointSettings;

constexpr size_t kMaxSecrets = 2;

/// What is done to the settings of a URL, on the writer's thread; an error changes nothing.
using SettingsEdit = std::function<Status(EndpointSettings&)>;

/// Changes are numbered, so that delivery knows the last. Touched on the writer's thread only.
struct Changes {
  uint64_t count = 0;
};

Task<Result<EndpointSettings>> change(Services& services, Changes& changes, const std::string& url,
                                      const SettingsEdit& edit) {
  uint64_t version = 0;
  const auto run = [&]() -> Result<EndpointSettings> {
    TRY(auto settings, control::load_endpoint_settings(services.store.values, url));
    TRY_STATUS(edit(settings));
    TRY_STATUS(services.store.values.save_value(control::endpoint_settings_key(url),
                                                control::encode_endpoint_settings(settings)));
    version = ++changes.count;
    return settings;
  };
  auto settings = co_await run_blocking(services.writer, run);
  if (settings) co_await services.deliveries.settings_changed(url, *settings, version);
  co_return settings;
}

http::Response settings_response(const std::string& url, const EndpointSettings& settings) {
  std::string body;
  json::Writer w(body);
  write_endpoint_settings(w, url, settings);
  return http::json_response(200, std::move(body));
}

enum class By { kUrl, kId };

// By the field `url`, which no webhook needs to name yet, or by the path's id.
Task<Result<std::string>> find_url(Services& services, const http::RequestContext& context, By by,
                                   const http::Form& fields) {
  if (by == By::kId) {
    auto found = co_await find_endpoint_url(services, context);
    co_return found;
  }
  std::string url(fields.first("url").value_or(""));
  if (url.empty()) co_return fail(Errc::kInvalidArgument, "Missing parameter 'url'");
  CO_TRY_STATUS(co_await check_url(services, url));
  co_return url;
}

Task<tl::expected<std::string, http::Refusal>> read_url(Services& services,
                                                        const http::RequestContext& context,
                                                        By by) {
  CO_TRY(const auto fields,
         read_fields(context.request, settings_fields().first(by == By::kUrl ? 1 : 0)));
  CO_TRY(const auto url, co_await find_url(services, context, by, fields));
  co_return url;
}

Task<http::Reply> get(Services& services, Changes&, http::RequestContext& context, By by) {
  CO_TRY(const auto url, co_await read_url(services, context, by));
  const auto read = [&] { return control::load_endpoint_settings(services.store.values, url); };
  CO_TRY(const auto settings, co_await run_blocking(services.readers, read));
  co_return settings_response(url, settings);
}

Task<http::Reply> put(Services& services, Changes& changes, http::RequestContext& context, By by) {
  CO_TRY(const auto form,
         read_fields(context.request, settings_fields().subspan(by == By::kUrl ? 0 : 1)));
  CO_TRY(const auto url, co_await find_url(services, context, by, form));
  const SettingsEdit edit = [&](EndpointSettings& settings) {
    return apply_endpoint_settings(form, settings);
  };
  CO_TRY(const auto settings, co_await change(services, changes, url, edit));
  co_return settings_response(url, settings);
}

Task<http::Reply> remove(Services& services, Changes& changes, http::RequestContext& context,
                         By by) {
  CO_TRY(const auto url, co_await read_url(services, context, by));
  uint64_t version = 0;
  const auto run = [&] {
    version = ++changes.count;
    return services.store.values.remove_value(control::endpoint_settings_key(url));
  };
  CO_TRY_STATUS(co_await run_blocking(services.writer, run));
  co_await services.deliveries.settings_changed(url, EndpointSettings(), version);
  co_return http::message_response(200, "Settings have been removed");
}

void write_secret(json::Writer& w, const EndpointSettings::Secret& secret, std::string_view text) {
  w.begin_object().key("id").value(secret.id).key("secret").value(text);
  write_time(w, "created_at", secret.created);
  w.end_object();
}

Task<http::Reply> list_secrets(Services& services, Changes&, http::RequestContext& context, By by) {
  CO_TRY(const auto url, co_await read_url(services, context, by));
  const auto read = [&] { return control::load_endpoint_settings(services.store.values, url); };
  CO_TRY(const auto settings, co_await run_blocking(services.readers, read));
  List out;
  for (const auto& secret : settings.secrets) write_secret(out.items(), secret, kHidden);
  co_return http::json_response(200, out.finish());
}

Task<http::Reply> add_secret(Services& services, Changes& changes, http::RequestContext& context,
                             By by) {
  CO_TRY(const auto url, co_await read_url(services, context, by));
  EndpointSettings::Secret secret;
  secret.id = to_hex(crypto::random_bytes(8));
  secret.text = webhook::make_standard_secret();
  secret.created = services.clock.now();
  const SettingsEdit edit = [&](EndpointSettings& settings) -> Status {
    if (settings.secrets.size() >= kMaxSecrets)
      return fail(Errc::kConflict, "secrets: two are active already; delete one first");
    settings.secrets.insert(settings.secrets.begin(), secret);
    return {};
  };
  CO_TRY_STATUS(co_await change(services, changes, url, edit));
  std::string body;
  json::Writer w(body);
  write_secret(w, secret, secret.text);
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> remove_secret(Services& services, Changes& changes, http::RequestContext& context,
                                By by) {
  CO_TRY(const auto url, co_await read_url(services, context, by));
  const SettingsEdit edit = [&](EndpointSettings& settings) -> Status {
    const auto found = std::ranges::find(settings.secrets, context.params.at("secret"),
                                         &EndpointSettings::Secret::id);
    if (found == settings.secrets.end()) return fail(Errc::kNotFound, "Secret not found");
    if (settings.standard_webhooks && settings.secrets.size() == 1) {
      return fail(
          Errc::kConflict,
          "secrets: the last one signs; set standard_webhooks to no, or make another first");
    }
    settings.secrets.erase(found);
    return {};
  };
  CO_TRY_STATUS(co_await change(services, changes, url, edit));
  co_return http::message_response(200, "Secret has been deleted");
}

}  // namespace

std::vector<http::Route> endpoint_settings_routes(Services& services) {
  using SettingsHandler = Task<http::Reply> (*)(Services&, Changes&, http::RequestContext&, By);
  const auto changes = std::make_shared<Changes>();
  std::vector<http::Route> routes;
  for (const By by : {By::kUrl, By::kId}) {
    const std::string base =
        by == By::kUrl ? "/eventhorn/v1/endpoints" : "/eventhorn/v1/endpoints/{id}";
    const auto add = [&](const char* method, const char* below, SettingsHandler handler) {
      const auto run = [&services, changes, handler, by](http::RequestContext& context) {
        return handler(services, *changes, context, by);
      };
      routes.push_back({method, base + below, Access::kKey, kFormBody, run});
    };
    add("GET", "/settings", get);
    add("PUT", "/settings", put);
    add("DELETE", "/settings", remove);
    add("GET", "/secrets", list_secrets);
    add("POST", "/secrets", add_secret);
    add("DELETE", "/secrets/{secret}", remove_secret);
  }
  return routes;
}

}  // namespace eventhorn::api
