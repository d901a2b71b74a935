// /eventhorn/v1/signing-key: the webhook signing key, and how another takes its place.
#include "api/handlers.h"
#include "api/own/write.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

using Step = Result<control::KeyStates> (control::SigningKeyring::*)();

// The texts are shown where an operator must copy them to a receiver: that of the previous key has
// no use any more.
void write_key(json::Writer& w, const char* name, const control::NamedKey& key, bool with_text) {
  w.key(name).begin_object().key("id").value(key.id());
  if (with_text) w.key("key").value(key.text);
  write_time(w, "created_at", key.created_at);
}

http::Response states_response(const control::KeyStates& states) {
  std::string body;
  json::Writer w(body);
  w.begin_object();
  write_key(w, "current", states.current, true);
  w.end_object();
  if (states.staged) {
    write_key(w, "staged", *states.staged, true);
    w.end_object();
  }
  if (states.previous) {
    write_key(w, "previous", *states.previous, false);
    write_time(w, "retires_at", states.previous_until);
    w.end_object();
  }
  w.end_object();
  return http::json_response(200, std::move(body));
}

template <Step step>
Task<http::Reply> change(Services& services, http::RequestContext&) {
  const auto take = [&] { return (services.keys.signing().*step)(); };
  CO_TRY(const auto states, co_await run_blocking(services.readers, take));
  co_return states_response(states);
}

Task<http::Reply> show(Services& services, http::RequestContext&) {
  co_return states_response(services.keys.signing().states());
}

}  // namespace

std::vector<http::Route> signing_key_routes(Services& services) {
  const std::string base = "/eventhorn/v1/signing-key";
  return {
      {"GET", base, Access::kKey, kNoBody, bound(services, show)},
      {"POST", base + "/stage", Access::kKey, kNoBody,
       without_fields(bound(services, change<&control::SigningKeyring::stage>))},
      {"POST", base + "/promote", Access::kKey, kNoBody,
       without_fields(bound(services, change<&control::SigningKeyring::promote>))},
      {"POST", base + "/retire", Access::kKey, kNoBody,
       without_fields(bound(services, change<&control::SigningKeyring::retire>))},
  };
}

}  // namespace eventhorn::api
