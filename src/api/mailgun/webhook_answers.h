// What the calls about a domain's webhooks, by name (v3) and by URL (v4), answer alike (spec:
// webhooks).
#pragma once

#include "api/services.h"
#include "http/reply.h"
#include "json/writer.h"

#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::api {

/// 400 with the reason as `message`, which some clients show, and as `Reason`, which others do.
http::Response refused(std::string_view reason);
/// The same for kInvalidArgument; other errors as they are.
http::Refusal refused(const Error& error);

/// 400 for a name that no webhook has.
http::Response unknown_hook(std::string_view name);

/// Writes {"urls":[...]}.
void write_urls(json::Writer& w, const std::vector<std::string>& urls);

/// {"webhooks":{"clicked":{"urls":[...]},...}}: all webhooks of the domain, without names that have
/// no URL.
http::Response webhooks_response(const store::Domain& domain);

/// The name of a domain that is there, or that setting its first webhook may create. kNotFound
/// "Domain not found"; kInvalidArgument for a name that is not one.
Result<std::string> settable_domain(const Services& services, const std::string& given);

}  // namespace eventhorn::api
