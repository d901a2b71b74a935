#include "api/handlers.h"

#include "api/fields.h"

#include <utility>

namespace eventhorn::api {
http::RouteHandler bound(Services& services, Handler handler) {
  return [&services, handler](http::RequestContext& context) { return handler(services, context); };
}

namespace {

Task<http::Reply> run_without_fields(const http::RouteHandler& handler,
                                     http::RequestContext& context) {
  CO_TRY_STATUS(read_fields(context.request, {}));
  auto out = co_await handler(context);
  co_return out;
}

}  // namespace

http::RouteHandler without_fields(http::RouteHandler handler) {
  return [handler = std::move(handler)](http::RequestContext& context) {
    return run_without_fields(handler, context);
  };
}

}  // namespace eventhorn::api
