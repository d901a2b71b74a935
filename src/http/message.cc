#include "http/message.h"

#include "base/strings.h"

#include <algorithm>

namespace eventhorn::http {
namespace {

// Length of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`; 0 when there is none.
size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char b = byte(0);
  if (b < 0x80) return 1;
  if (b >= 0xc2 && b <= 0xdf) return tail(1) ? 2 : 0;
  if (b >= 0xe0 && b <= 0xef) {
    if (!tail(1) || !tail(2)) return 0;
    const bool overlong = b == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = b == 0xed && byte(1) >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  if (b >= 0xf0 && b <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    const bool overlong = b == 0xf0 && byte(1) < 0x90;
    const bool beyond = b == 0xf4 && byte(1) >= 0x90;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

// Messages may quote input: whatever it is, the answer stays valid JSON.
void append_json_string(std::string& out, std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  out.push_back('"');
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    const auto b = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\ufffd";
    } else if (b == '"' || b == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (b < 0x20) {
      out += "\\u00";
      out.push_back(kDigits[b >> 4]);
      out.push_back(kDigits[b & 15]);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  out.push_back('"');
}

}  // namespace

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
  append_json_string(body, message);
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
