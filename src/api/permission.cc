#include "api/permission.h"

#include "base/strings.h"
#include "control/api_keys.h"
#include "json/writer.h"

#include <fmt/format.h>

namespace eventhorn::api {
namespace {

using http::Access;
using http::Role;

// mailgun.js shows `message`, PHP shows `Error` (spec: auth).
http::Response forbidden(std::string_view why) {
  const std::string text = fmt::format("Forbidden: {}", why);
  std::string body;
  json::Writer w(body);
  w.begin_object().key("message").value(text).key("Error").value(text).end_object();
  return http::json_response(403, std::move(body));
}

http::Response invalid_key() {
  return http::message_response(401, "Invalid private key");
}

bool is_for_one_thing(Role role) {
  return role == Role::kSending || role == Role::kIngest || role == Role::kBin;
}

bool allows(Role role, Access access, std::string_view method) {
  const bool reads = method == "GET" || method == "HEAD" || access == Access::kReading;
  switch (role) {
    case Role::kAdmin:
      return true;
    case Role::kDeveloper:
      return access != Access::kKeys;
    case Role::kBasic:
      return reads && access != Access::kKeys;
    case Role::kSending:
      return false;  // nothing sends yet
    case Role::kIngest:
      return access == Access::kIngest;
    case Role::kBin:
      return access == Access::kBins;
  }
  return false;
}

}  // namespace

std::optional<http::Response> refuse(const http::Caller& caller, const http::Route& route,
                                     std::string_view method, const http::PathParams& params) {
  const bool one_thing = is_for_one_thing(caller.role);
  if (!allows(caller.role, route.access, method)) {
    if (one_thing) return invalid_key();
    return forbidden(fmt::format("role '{}' may not do this", control::to_string(caller.role)));
  }
  if (caller.domain.empty()) return std::nullopt;
  const auto* domain = params.find("domain");
  if (domain == nullptr)
    return one_thing ? invalid_key() : forbidden("a key of one domain may not do this");
  if (to_lower(*domain) == caller.domain) return std::nullopt;
  return one_thing ? invalid_key() : http::message_response(404, "Domain not found");
}

}  // namespace eventhorn::api
