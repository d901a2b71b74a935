// How a route comes to its handler.
#pragma once

#include "api/services.h"
#include "http/reply.h"

namespace eventhorn::api {

/// A handler: a coroutine over the services and one request, both of which outlive it.
using Handler = Task<http::Reply> (*)(Services&, http::RequestContext&);

/// The handler as a table has it.
http::RouteHandler bound(Services& services, Handler handler);

/// The same for a call that takes no fields: with any in its query or body it is refused by name,
/// because whoever gives one means something else (reliability A13).
http::RouteHandler without_fields(http::RouteHandler handler);

}  // namespace eventhorn::api
