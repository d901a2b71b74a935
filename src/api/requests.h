// What the handlers of several resources share: how a route comes to its handler, and how forms are
// read.
#pragma once

#include "api/services.h"
#include "http/forms.h"
#include "http/reply.h"

#include <tl/expected.hpp>

#include <optional>
#include <span>
#include <string_view>

namespace eventhorn::api {

/// A handler: a coroutine over the services and one request, both of which outlive it.
using Handler = Task<http::Reply> (*)(Services&, http::RequestContext&);

/// The handler as a table has it.
http::RouteHandler bound(Services& services, Handler handler);

/// The same for a call that takes no fields: with any in its query or body it is refused by name,
/// because whoever gives one means something else (reliability A13).
http::RouteHandler without_fields(http::RouteHandler handler);

/// OK when the query is empty and the form has no other fields than `known`; otherwise
/// kInvalidArgument that names one.
Status check_known(const http::Request& request, const http::Form& form,
                   std::span<const std::string_view> known);

/// The form in the body, or the refusal: 415 for a body that is no form, 400 and 413 as
/// http::parse_form. No body is an empty form, whatever the type says (spec: Mailgun SDKs).
tl::expected<http::Form, http::Refusal> read_form(const http::Request& request);

/// 400 {"message":"Missing parameter 'name'"} (spec: webhooks, errors).
http::Response missing_parameter(std::string_view name);

/// At most `max_bytes` of a text from outside, for quoting it in an error.
std::string clipped(std::string_view text, size_t max_bytes);

}  // namespace eventhorn::api
