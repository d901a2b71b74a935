// /v4/domains/{domain}/webhooks: a domain's webhooks by URL (spec: webhooks, "v4"). The data is
// that of /v3/domains/{domain}/webhooks, whose collection takes the same calls, because
// mailgun-python sends them there. All answer with every webhook of the domain.
#pragma once

#include "api/services.h"
#include "http/reply.h"

#include <string_view>

namespace eventhorn::api {

/// The field with the names of webhooks: repeated, or one value with commas.
inline constexpr std::string_view kEventTypes = "event_types";

/// `url`, `event_types`: adds the URL to these webhooks, or, when one of them has it already or has
/// as many as it may, to none.
Task<http::Reply> add_url(Services& services, http::RequestContext& context);

/// `url`, `event_types`: from now on these webhooks have the URL, and no others. 404 when none has
/// it.
Task<http::Reply> set_url_types(Services& services, http::RequestContext& context);

/// `url` in the query, one or several with commas between: no webhook has them any more. 404, and
/// nothing is changed, when one of them is not there.
Task<http::Reply> remove_urls(Services& services, http::RequestContext& context);

}  // namespace eventhorn::api
