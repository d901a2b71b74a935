#include "api/audited.h"

#include "base/log.h"
#include "base/strings.h"

#include <string>
#include <string_view>
#include <utility>

namespace eventhorn::api {
namespace {

bool changes_something(const http::Route& route) {
  const bool reads = route.method == "GET" || route.access == Access::kReading;
  return !reads && route.access != Access::kAnyone && route.access != Access::kIngest;
}

// An address may be there to be erased, so the trail must not have it.
std::string without_addresses(std::string_view path, std::string_view pattern) {
  const auto segments = split(path, '/');
  const auto names = split(pattern, '/');
  std::string out;
  for (size_t i = 1; i < segments.size(); ++i) {
    const bool hidden = i < names.size() && names[i] == "{address}";
    out.append("/").append(hidden ? names[i] : segments[i]);
  }
  return out;
}

// The change has been made, so what goes wrong here is not the client's.
Task<void> record(Services& services, const http::RequestContext& context,
                  const std::string& pattern) {
  control::AuditEntry entry;
  entry.at = services.clock.now();
  entry.key_id = context.caller->key_id;
  entry.address = context.request.remote_address;
  entry.method = context.request.method;
  entry.path = without_addresses(context.request.path, pattern);
  const auto add = [&] { return services.audit.add(entry); };
  const auto added = co_await run_blocking(services.writer, add);
  if (!added) {
    log_error("api", "a change is missing in the audit trail key={} method={} path={} error={}",
              entry.key_id, entry.method, entry.path, added.error().message);
  }
}

Task<http::Reply> run(Services& services, const http::RouteHandler& handler,
                      const std::string& pattern, http::RequestContext& context) {
  auto reply = co_await handler(context);
  if (reply && reply->status < 300) co_await record(services, context, pattern);
  co_return reply;
}

}  // namespace

std::vector<http::Route> audited(Services& services, std::vector<http::Route> routes) {
  for (auto& route : routes) {
    if (!changes_something(route)) continue;
    route.handler = [&services, handler = std::move(route.handler),
                     pattern = route.pattern](http::RequestContext& context) {
      return run(services, handler, pattern, context);
    };
  }
  return routes;
}

}  // namespace eventhorn::api
