#include "api/requests.h"

namespace eventhorn::api {

http::RouteHandler bound(Services& services, Handler handler) {
  return [&services, handler](http::RequestContext& context) { return handler(services, context); };
}

tl::expected<http::Form, http::Response> read_form(const http::Request& request) {
  const auto content_type = request.fields.get("Content-Type");
  const auto type = http::form_type(content_type);
  const bool is_form = type == http::FormType::kMultipart || type == http::FormType::kUrlEncoded;
  if (!request.body.empty() && !is_form) {
    return tl::unexpected(http::message_response(
        415, "content-type must be multipart/form-data or application/x-www-form-urlencoded"));
  }
  auto form = http::parse_form(content_type, request.body);
  if (!form) return tl::unexpected(error_response(form.error()));
  return *std::move(form);
}

http::Response missing_parameter(std::string_view name) {
  return http::message_response(400, "Missing parameter '" + std::string(name) + "'");
}

std::string clipped(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  return std::string(text.substr(0, max_bytes)) + "...";
}

}  // namespace eventhorn::api
