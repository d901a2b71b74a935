// /v5/accounts/http_signing_key: the webhook signing key as Mailgun's clients see and change it
// (spec: webhooks, "HTTP webhook signing key").
#include "api/handlers.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

http::Response key_response(const char* message, const control::KeyStates& states) {
  std::string body;
  json::Writer w(body);
  w.begin_object().key("message").value(message);
  w.key("http_signing_key").value(states.current.text).end_object();
  return http::json_response(200, std::move(body));
}

Task<http::Reply> get(Services& services, http::RequestContext&) {
  co_return key_response("success", services.keys.signing().states());
}

Task<http::Reply> regenerate(Services& services, http::RequestContext&) {
  const auto change = [&] { return services.keys.signing().regenerate(); };
  CO_TRY(const auto states, co_await run_blocking(services.readers, change));
  co_return key_response("regenerated HTTP signing key for account", states);
}

}  // namespace

std::vector<http::Route> http_signing_key_routes(Services& services) {
  const std::string path = "/v5/accounts/http_signing_key";
  return {{"GET", path, Access::kKey, kNoBody, bound(services, get)},
          {"POST", path, Access::kKey, kNoBody, without_fields(bound(services, regenerate))}};
}

}  // namespace eventhorn::api
