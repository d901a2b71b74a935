// The events that a URL has not confirmed; see unacked.cc.
#pragma once

#include "api/services.h"

namespace eventhorn::api {

/// GET /eventhorn/v1/{domain}/events?unacked_by=<url>.
Task<http::Reply> list_unacked(Services& services, http::RequestContext& context);

}  // namespace eventhorn::api
