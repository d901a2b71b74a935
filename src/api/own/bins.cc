// Request bins over HTTP (design: "Surface"; bin/answer.h): made and read with the key, filled by
// anybody.
#include "api/handlers.h"
#include "async/timer.h"
#include "bin/answer.h"
#include "json/writer.h"

namespace eventhorn::api {
namespace {

// Like the bin's own answers: its origin is also the dashboard's (reliability A6).
http::Response sandboxed(http::Response response) {
  response.fields.set("Content-Security-Policy", "sandbox; default-src 'none'");
  return response;
}

Task<http::Reply> create(Services& services, http::RequestContext& context) {
  const std::string id = services.bins.create();
  std::string body;
  json::Writer w(body);
  w.begin_object()
      .key("id")
      .value(id)
      .key("url")
      .value(context.request.base + "/bin/" + id)
      .end_object();
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> requests(Services& services, http::RequestContext& context) {
  const auto listing = services.bins.list(context.params.at("id"));
  if (!listing) co_return http::message_response(404, "Bin not found");
  const auto write = [&] { return bin::listing_json(*listing); };  // of up to 64 MiB
  auto body = co_await run_blocking(services.readers, write);
  co_return http::json_response(200, std::move(body));
}

Task<http::Reply> capture(Services& services, http::RequestContext& context) {
  auto& request = context.request;
  bin::Captured captured;
  captured.method = request.method;
  captured.path = request.target;
  captured.fields = request.fields;
  captured.body = std::move(request.body);
  captured.truncated = request.truncated;
  captured.remote_address = request.remote_address;
  captured.time = services.clock.now();
  auto answer = bin::take_request(services.bins, context.params.at("id"), std::move(captured));
  if (!answer) co_return sandboxed(http::Refusal(answer.error()).answer);
  if (answer->delay.count() > 0) {
    const SteadyTime due = services.clock.steady_now() + answer->delay;
    co_await sleep_until(services.clock, std::min(due, context.deadline));
  }
  co_return std::move(answer->response);
}

}  // namespace

std::vector<http::Route> bin_routes(Services& services) {
  const http::BodyLimit cut{services.options.bin_body_bytes, true};
  return {
      {"POST", "/eventhorn/v1/bins", Access::kBins, kFormBody, bound(services, create)},
      {"GET", "/eventhorn/v1/bins/{id}/requests", Access::kBins, kNoBody, bound(services, requests)},
      {"*", "/bin/{id}", Access::kAnyone, cut, bound(services, capture)},
      {"*", "/bin/{id}/*rest", Access::kAnyone, cut, bound(services, capture)},
  };
}

}  // namespace eventhorn::api
