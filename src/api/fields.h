// What the routes of /eventhorn/v1 are given: fields in the query, in a form or in a JSON object,
// each of which a route has to know. Whoever misspells one is told, rather than served something
// else.
#pragma once

#include "base/result.h"
#include "http/forms.h"
#include "http/message.h"
#include "http/reply.h"

#include <tl/expected.hpp>

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace eventhorn::api {

enum class Shape {
  kOne,    // one value
  kMany,   // any number of values, or a JSON list
  kPairs,  // as kMany of "name: value"; or a JSON object
};

/// A field that a route knows.
struct FieldRule {
  std::string_view name;
  Shape shape = Shape::kOne;
};

/// The fields of the query and of the body together, or the refusal: 415 for a body that is
/// neither form nor JSON object, 400 for one that is malformed, or for a field that `rules` does
/// not have, or of another shape; the message names it.
///
/// Of a JSON object each member is a field: a text as it is, numbers as written by fmt, `true` as
/// "yes", `false` as "no", null as "". A list gives a field for each element, an empty one a field
/// that is empty; an object within gives "name: value" for each of its members.
tl::expected<http::Form, http::Refusal> read_fields(const http::Request& request,
                                                    std::span<const FieldRule> rules);

/// kInvalidArgument for a field that `rules` does not have, or that is given more often than its
/// shape allows; the message names it.
Status check_fields(const std::vector<http::FormField>& fields, std::span<const FieldRule> rules);

/// OK when the query is empty and the form has no other fields than `known`; otherwise
/// kInvalidArgument that names one.
Status check_known(const http::Request& request, const http::Form& form,
                   std::span<const std::string_view> known);

/// The form in the body, or the refusal: 415 for a body that is no form, 400 and 413 as
/// http::parse_form. No body is an empty form, whatever the type says (spec: Mailgun SDKs).
tl::expected<http::Form, http::Refusal> read_form(const http::Request& request);

/// 400 {"message":"Missing parameter 'name'"} (spec: webhooks, errors).
http::Response missing_parameter(std::string_view name);

}  // namespace eventhorn::api
