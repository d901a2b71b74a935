// What the role and the domain of a key allow (spec: keys). Pure.
#pragma once

#include "http/router.h"

#include <optional>
#include <string_view>

namespace eventhorn::api {

/// The answer to a call that the caller's key does not allow; nullopt when it does.
///
/// Keys for one thing (sending, ingest, bin) get 401 "Invalid private key" for everything else, and
/// for another domain than theirs. The others get 403, which names the role, for what it does not
/// allow. A key of one domain sees no other one, 404 "Domain not found", and gets 403 for what is
/// of no domain.
std::optional<http::Response> refuse(const http::Caller& caller, const http::Route& route,
                                     std::string_view method, const http::PathParams& params);

}  // namespace eventhorn::api
