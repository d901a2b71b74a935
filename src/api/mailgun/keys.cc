// /v1/keys: API keys with roles (spec: keys). The installation's own key is not among them.
#include "api/domains.h"
#include "api/fields.h"
#include "api/handlers.h"
#include "api/own/write.h"
#include "api/parameters.h"
#include "base/dates.h"
#include "base/log.h"
#include "base/strings.h"
#include "json/bytes.h"
#include "json/writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace eventhorn::api {
namespace {

using control::ApiKey;

constexpr std::array<std::string_view, 8> kKnownFields = {
    "role", "kind", "domain_name", "description", "expiration", "user_id", "user_name", "email"};
constexpr std::array<std::string_view, 3> kKinds = {"domain", "user", "web"};
constexpr size_t kMaxTextBytes = 256;
constexpr uint64_t kMaxExpirationSeconds = uint64_t{10} * 366 * 24 * 3600;

// Mailgun writes no zone (spec: keys).
std::string format_time(SystemTime time) {
  return format_iso8601(time).substr(0, std::string_view("2006-01-02T15:04:05").size());
}

void write_zoneless_time(json::Writer& w, std::string_view name, std::optional<SystemTime> time) {
  w.key(name).value(time ? std::optional(format_time(*time)) : std::nullopt);
}

void write_key(json::Writer& w, const ApiKey& key, std::string_view secret = {}) {
  w.begin_object().key("id").value(key.id);
  w.key("description").value(key.description);
  w.key("kind").value(key.kind);
  w.key("role").value(control::to_string(key.role));
  write_zoneless_time(w, "created_at", key.created);
  write_zoneless_time(w, "updated_at", key.created);
  write_zoneless_time(w, "expires_at", key.expires);
  write_zoneless_time(w, "last_used_at", key.used);
  if (!secret.empty()) w.key("secret").value(secret);
  w.key("is_disabled").value(false);
  w.key("disabled_reason").value(nullptr);
  write_text(w, "domain_name", key.domain);
  write_text(w, "requestor", key.requestor);
  write_text(w, "user_id", key.user_id);
  write_text(w, "user_name", key.user_name);
  write_text(w, "email", key.email);
  w.end_object();
}

Result<std::string> read_kind(std::string_view text) {
  if (std::ranges::find(kKinds, text) != kKinds.end()) return std::string(text);
  return fail(Errc::kInvalidArgument,
              "expected `kind` param to be one of [domain user web] or absent");
}

Status read_text(const http::Form& form, std::string_view name, std::string& out) {
  out = std::string(form.first(name).value_or(""));
  if (out.size() > kMaxTextBytes)
    return invalid(name, fmt::format("has more than {} bytes", kMaxTextBytes));
  if (!json::valid_utf8(out)) return invalid(name, "is not UTF-8");
  return {};
}

// A key of a domain is of kind "domain", and the other way round.
Status read_scope(const Services& services, const http::Form& form, ApiKey& key) {
  const auto domain = to_lower(form.first("domain_name").value_or(""));
  const auto kind = form.first("kind").value_or("");
  if (!kind.empty()) {
    TRY(key.kind, read_kind(kind));
  } else if (!domain.empty()) {
    key.kind = "domain";
  }
  if (domain.empty() && key.kind == "domain")
    return invalid("domain_name", "is needed for a key of kind 'domain'");
  if (domain.empty()) return {};
  if (key.kind != "domain") return invalid("domain_name", "is only for keys of kind 'domain'");
  TRY(const auto found, find_domain(services, domain));
  key.domain = found->name;
  return {};
}

Result<ApiKey> read_key(const Services& services, const http::Form& form) {
  ApiKey key;
  const auto role = form.first("role").value_or("");
  if (role.empty()) return fail(Errc::kInvalidArgument, "Missing parameter 'role'");
  const auto known = control::parse_role(role);
  if (!known)
    return invalid("role", "must be one of admin, developer, basic, sending, ingest, bin");
  key.role = *known;
  TRY_STATUS(read_scope(services, form, key));
  TRY_STATUS(read_text(form, "description", key.description));
  TRY_STATUS(read_text(form, "user_id", key.user_id));
  TRY_STATUS(read_text(form, "user_name", key.user_name));
  TRY_STATUS(read_text(form, "email", key.email));
  const auto expiration = form.first("expiration").value_or("");
  if (!expiration.empty()) {
    TRY(const auto seconds, parse_number("expiration", expiration, 1, kMaxExpirationSeconds));
    key.expires = services.clock.now() + std::chrono::seconds(seconds);
  }
  return key;
}

Task<http::Reply> list(Services& services, http::RequestContext& context) {
  CO_TRY(const auto query, http::parse_query(context.request.query));
  constexpr FieldRule kFields[] = {{"domain_name"}, {"kind"}};
  CO_TRY_STATUS(check_fields(query.fields(), kFields));
  const auto domain = to_lower(query.first("domain_name").value_or(""));
  const auto kind = query.first("kind").value_or("");
  if (!kind.empty()) CO_TRY_STATUS(read_kind(kind));
  auto keys = services.api_keys.list();
  std::erase_if(keys, [&](const ApiKey& key) {
    return (!domain.empty() && key.domain != domain) || (!kind.empty() && key.kind != kind);
  });
  std::string body;
  json::Writer w(body);
  w.begin_object().key("total_count").value(keys.size()).key("items").begin_array();
  for (const auto& key : keys) write_key(w, key);
  w.end_array().end_object();
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> create(Services& services, http::RequestContext& context) {
  CO_TRY(const auto form, read_form(context.request));
  CO_TRY_STATUS(check_known(context.request, form, kKnownFields));
  CO_TRY(auto key, read_key(services, form));
  key.requestor = context.caller->key_id;
  const auto make = [&] { return services.api_keys.make(key); };
  CO_TRY(const auto made, co_await run_blocking(services.writer, make));
  log_info("api", "API key made key={} role={} domain={} by={}", made.key.id,
           control::to_string(made.key.role), made.key.domain, key.requestor);
  std::string body;
  json::Writer w(body);
  w.begin_object().key("message").value("great success").key("key");
  write_key(w, made.key, made.secret);
  w.end_object();
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> remove(Services& services, http::RequestContext& context) {
  const auto& id = context.params.at("id");
  const auto run = [&] { return services.api_keys.remove(id); };
  CO_TRY_STATUS(co_await run_blocking(services.writer, run));
  log_info("api", "API key deleted key={} by={}", id, context.caller->key_id);
  co_return http::message_response(200, "key deleted");
}

}  // namespace

std::vector<http::Route> key_routes(Services& services) {
  return {
      {"GET", "/v1/keys", Access::kKeys, kNoBody, bound(services, list)},
      {"POST", "/v1/keys", Access::kKeys, kFormBody, bound(services, create)},
      {"DELETE", "/v1/keys/{id}", Access::kKeys, kNoBody, without_fields(bound(services, remove))}};
}

}  // namespace eventhorn::api
