// The settings of one URL as operators give and see them. Pure.
#pragma once

#include "api/fields.h"
#include "json/writer.h"
#include "store/model.h"

#include <span>
#include <string_view>

namespace eventhorn::api {

/// Stands for a secret that is set: shown in its place, and given back it leaves the secret as it
/// is.
inline constexpr std::string_view kHidden = "***";

/// What apply_endpoint_settings takes, behind `url`.
std::span<const FieldRule> settings_fields();

/// Changes what `form` has fields for; an empty field sets it back.
///  - `rate_limit`: attempts per second, 0 to 1 000 000; `max_concurrency`: 0 to 10 000; 0 is the
///    installation's
///  - `retry_schedule`: as parse_schedule
///  - `headers`: "Name: value" each, in place of all there are; a value of kHidden keeps that of
///    the header of this name
///  - `bearer`: the token of an Authorization header, which headers must not have as well
///  - headers as webhook::check_custom_headers; no line break in any of them or in `bearer`
///  - `standard_webhooks`: a flag; needs a secret
///  - `client_certificate` and `client_key`: PEM, both or neither
/// kInvalidArgument naming the field and the rule; `settings` may then be half changed.
Status apply_endpoint_settings(const http::Form& form, store::EndpointSettings& settings);

/// {"id":..,"url":..,"rate_limit":..,...} with secrets hidden.
void write_endpoint_settings(json::Writer& writer, std::string_view url,
                             const store::EndpointSettings& settings);

}  // namespace eventhorn::api
