// Which URLs a webhook may be pointed at, as far as that can be told when it is configured.
// Deliveries judge again, by the address that is really dialled.
#pragma once

#include "api/services.h"

#include <string>

namespace eventhorn::api {

/// OK when a webhook may have `url`. Our own bins are always allowed, since they are reached in
/// process (design: "Targets").
///
/// kInvalidArgument "<url> is not a valid url: <reason>" (spec: webhooks, errors), the url without
/// password, when it is malformed, or names an address that the guard refuses, in any spelling or
/// by a name that stands for it everywhere ("localhost"); with options.verify_host also when its
/// host has no address that the guard lets pass, or no name server could tell.
Task<Status> check_url(Services& services, const std::string& url);

}  // namespace eventhorn::api
