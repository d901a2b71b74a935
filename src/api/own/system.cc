// What monitors and load balancers ask, and the root. None of it needs a key.
#include "api/handlers.h"
#include "base/metrics.h"

namespace eventhorn::api {
namespace {

Task<http::Reply> health(Services&, http::RequestContext&) {
  co_return http::json_response(200, R"({"status":"ok"})");
}

Task<http::Reply> readiness(Services& services, http::RequestContext&) {
  if (services.draining != nullptr && *services.draining)
    co_return fail(Errc::kUnavailable, "the server is ending");
  CO_TRY_STATUS(services.health.status());
  co_return http::json_response(200, R"({"status":"ok"})");
}

Task<http::Reply> metrics_text(Services&, http::RequestContext&) {
  auto out = http::text_response(200, metrics::render());
  out.fields.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  co_return out;
}

// Clients know by this text that they were given a base URL without more (spec: authentication).
Task<http::Reply> root(Services&, http::RequestContext&) {
  co_return http::text_response(200, "Mailgun Magnificent API");
}

}  // namespace

std::vector<http::Route> system_routes(Services& services) {
  return {
      {"GET", "/", Access::kAnyone, kNoBody, bound(services, root)},
      {"GET", "/healthz", Access::kAnyone, kNoBody, bound(services, health)},
      {"GET", "/readyz", Access::kAnyone, kNoBody, bound(services, readiness)},
      {"GET", "/metrics", Access::kAnyone, kNoBody, bound(services, metrics_text)},
  };
}

}  // namespace eventhorn::api
