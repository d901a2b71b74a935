// Routes that change something leave an entry in the audit trail.
#pragma once

#include "api/services.h"
#include "http/router.h"

#include <vector>

namespace eventhorn::api {

/// The routes, of which those that change something for the holder of a key add to the audit trail
/// when they have done so. Appends of events are none of them: events are kept themselves.
std::vector<http::Route> audited(Services& services, std::vector<http::Route> routes);

}  // namespace eventhorn::api
