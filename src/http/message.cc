#include "http/message.h"

#include "base/strings.h"
#include "json/writer.h"

#include <algorithm>

namespace eventhorn::http {
void Fields::add(std::string name, std::string value) {
  all_.emplace_back(std::move(name), std::move(value));
}

void Fields::set(std::string name, std::string value) {
  std::erase_if(all_, [&](const auto& field) { return equals_ignore_case(field.first, name); });
  add(std::move(name), std::move(value));
}

std::string_view Fields::get(std::string_view name) const {
  for (const auto& [key, value] : all_) {
    if (equals_ignore_case(key, name)) return value;
  }
  return {};
}

bool Fields::has(std::string_view name) const {
  return count(name) > 0;
}

size_t Fields::count(std::string_view name) const {
  const auto same = [&](const auto& field) { return equals_ignore_case(field.first, name); };
  return static_cast<size_t>(std::count_if(all_.begin(), all_.end(), same));
}

Response json_response(int status, std::string body) {
  Response response;
  response.status = status;
  response.fields.add("Content-Type", "application/json; charset=utf-8");
  response.fields.add("Cache-Control", "no-store");
  response.body = std::move(body);
  response.body.push_back('\n');
  return response;
}

Response message_response(int status, std::string_view message) {
  std::string body = "{\"message\":";
  json::append_quoted(body, message);
  body.push_back('}');
  return json_response(status, std::move(body));
}

Response text_response(int status, std::string body) {
  Response response;
  response.status = status;
  response.fields.add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(body);
  return response;
}

}  // namespace eventhorn::http
