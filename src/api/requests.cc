#include "api/requests.h"

#include "api/fields.h"

namespace eventhorn::api {

http::RouteHandler bound(Services& services, Handler handler) {
  return [&services, handler](http::RequestContext& context) { return handler(services, context); };
}

namespace {

Task<http::Reply> run_without_fields(const http::RouteHandler& handler,
                                     http::RequestContext& context) {
  CO_TRY_STATUS(read_fields(context.request, {}));
  auto out = co_await handler(context);
  co_return out;
}

}  // namespace

http::RouteHandler without_fields(http::RouteHandler handler) {
  return [handler = std::move(handler)](http::RequestContext& context) {
    return run_without_fields(handler, context);
  };
}

Status check_known(const http::Request& request, const http::Form& form,
                   std::span<const std::string_view> known) {
  TRY(const auto query, http::parse_query(request.query));
  std::vector<FieldRule> rules;
  for (const auto name : known) rules.push_back({name, Shape::kMany});
  TRY_STATUS(check_fields(form.fields(), rules));
  return check_fields(query.fields(), {});
}

tl::expected<http::Form, http::Refusal> read_form(const http::Request& request) {
  const auto content_type = request.fields.get("Content-Type");
  const auto type = http::form_type(content_type);
  const bool is_form = type == http::FormType::kMultipart || type == http::FormType::kUrlEncoded;
  if (!request.body.empty() && !is_form) {
    return fail(http::message_response(
        415, "content-type must be multipart/form-data or application/x-www-form-urlencoded"));
  }
  TRY(auto form, http::parse_form(content_type, request.body));
  return form;
}

http::Response missing_parameter(std::string_view name) {
  return http::message_response(400, "Missing parameter '" + std::string(name) + "'");
}

std::string clipped(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  return std::string(text.substr(0, max_bytes)) + "...";
}

}  // namespace eventhorn::api
