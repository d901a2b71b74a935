#include "api/fields.h"

#include "api/parameters.h"
#include "base/strings.h"
#include "json/reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace eventhorn::api {
namespace {

constexpr size_t kMaxValues = 2000;

using FormFields = std::vector<http::FormField>;

Result<Shape> shape_of(std::string_view name, std::span<const FieldRule> rules) {
  const auto found = std::ranges::find(rules, http::list_name(name), &FieldRule::name);
  if (found != rules.end()) return found->shape;
  if (rules.empty()) return invalid(name, "is not known here: nothing may be given");
  std::vector<std::string_view> names;
  for (const auto& rule : rules) names.push_back(rule.name);
  return invalid(name, fmt::format("is not known here: may be {}", fmt::join(names, ", ")));
}

std::optional<std::string> scalar_text(const json::Value& value) {
  if (value.is_null()) return "";
  if (const auto* text = value.as_string()) return *text;
  if (const auto flag = value.as_bool()) return *flag ? "yes" : "no";
  if (const auto number = value.as_int()) return std::to_string(*number);
  if (const auto number = value.as_double()) return fmt::format("{}", *number);
  return std::nullopt;
}

// nullopt when the value, or one within, has no such form.
std::optional<std::vector<std::string>> texts_of(const json::Value& value, Shape shape) {
  std::vector<std::string> out;
  if (auto text = scalar_text(value)) {
    out.push_back(*std::move(text));
    return out;
  }
  if (const auto* list = value.as_array(); list != nullptr && shape != Shape::kOne) {
    for (const auto& element : *list) {
      auto item = scalar_text(element);
      if (!item) return std::nullopt;
      out.push_back(*std::move(item));
    }
  } else if (const auto* object = value.as_object(); object != nullptr && shape == Shape::kPairs) {
    for (const auto& member : *object) {
      const auto item = scalar_text(member.value);
      if (!item || member.key.find(':') != std::string::npos) return std::nullopt;
      out.push_back(member.key + ": " + *item);
    }
  } else {
    return std::nullopt;
  }
  if (out.empty()) out.emplace_back();
  return out;
}

std::string_view describe(Shape shape) {
  switch (shape) {
    case Shape::kOne:
      return "must be one value";
    case Shape::kMany:
      return "must be a value or a list of values";
    case Shape::kPairs:
      return "must be a value, a list of values or an object of values by names without colons";
  }
  return "";
}

Status add_json(std::string_view body, std::span<const FieldRule> rules, FormFields& out) {
  TRY(const auto value, json::parse(body));
  const auto* object = value.as_object();
  if (object == nullptr) return fail(Errc::kInvalidArgument, "body: must be a json object");
  for (const auto& member : *object) {
    TRY(const auto shape, shape_of(member.key, rules));
    const auto texts = texts_of(member.value, shape);
    if (!texts) return invalid(member.key, describe(shape));
    for (const auto& text : *texts) out.push_back({member.key, text});
    if (out.size() > kMaxValues)
      return fail(Errc::kTooLarge, fmt::format("body: has more than {} values", kMaxValues));
  }
  return {};
}

}  // namespace

Status check_fields(const std::vector<http::FormField>& fields, std::span<const FieldRule> rules) {
  std::map<std::string_view, size_t> given;
  for (const auto& field : fields) {
    TRY(const auto shape, shape_of(field.name, rules));
    if (++given[http::list_name(field.name)] > 1 && shape == Shape::kOne)
      return invalid(field.name, "must be given once");
  }
  return {};
}

tl::expected<http::Form, http::Refusal> read_fields(const http::Request& request,
                                                    std::span<const FieldRule> rules) {
  TRY(const auto query, http::parse_query(request.query));
  FormFields fields = query.fields();
  if (!request.body.empty() &&
      http::media_type(request.fields.get("Content-Type")) == "application/json") {
    TRY_STATUS(add_json(request.body, rules, fields));
  } else {
    TRY(const auto form, read_form(request));
    fields.insert(fields.end(), form.fields().begin(), form.fields().end());
  }
  TRY_STATUS(check_fields(fields, rules));
  return http::Form(std::move(fields));
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

}  // namespace eventhorn::api
