// All resources: mailgun/ has those of their protocol, own/ has ours. Each is a file of its own
// that ends in its table of routes, and a line of the list in routes.cc.
#pragma once

#include "api/services.h"
#include "http/router.h"

namespace eventhorn::api {

/// `services` must outlive the router.
http::Router make_router(Services& services);

}  // namespace eventhorn::api
