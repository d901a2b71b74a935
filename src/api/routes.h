// The one list of all resources. Each is a file of its own that ends in its table.
#pragma once

#include "api/services.h"
#include "http/router.h"

namespace eventhorn::api {

/// `services` must outlive the router.
http::Router make_router(Services& services);

}  // namespace eventhorn::api
