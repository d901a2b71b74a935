#include "bin/answer.h"

#include "base/duration.h"
#include "base/strings.h"
#include "http/forms.h"

#include <fmt/format.h>

#include <optional>

namespace eventhorn::bin {
namespace {

constexpr uint64_t kMaxCount = 1'000'000;

Result<std::chrono::milliseconds> parse_delay(std::string_view text) {
  const auto refusal =
      fail(Errc::kInvalidArgument, "delay: must be a duration such as 500ms or 2s, at most 30s");
  auto delay = parse_duration(parse_uint(text) ? std::string(text) + "s" : std::string(text));
  if (!delay || *delay > kMaxDelay) return refusal;
  return delay;
}

// Length of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`, which is not empty; 0
// when there is none.
size_t utf8_sequence(std::string_view text) {
  const auto in = [&](size_t i, unsigned char low, unsigned char high) {
    return i < text.size() && static_cast<unsigned char>(text[i]) >= low &&
           static_cast<unsigned char>(text[i]) <= high;
  };
  const auto b = static_cast<unsigned char>(text[0]);
  if (b < 0x80) return 1;
  if (b >= 0xc2 && b <= 0xdf) return in(1, 0x80, 0xbf) ? 2 : 0;
  if (b >= 0xe0 && b <= 0xef) {
    // Neither overlong forms nor surrogates.
    return in(1, b == 0xe0 ? 0xa0 : 0x80, b == 0xed ? 0x9f : 0xbf) && in(2, 0x80, 0xbf) ? 3 : 0;
  }
  if (b < 0xf0 || b > 0xf4) return 0;
  const bool second = in(1, b == 0xf0 ? 0x90 : 0x80, b == 0xf4 ? 0x8f : 0xbf);
  return second && in(2, 0x80, 0xbf) && in(3, 0x80, 0xbf) ? 4 : 0;
}

// Appends `text` as a JSON string; false when some of it was not UTF-8 and became U+FFFD.
bool append_string(std::string& out, std::string_view text) {
  bool valid = true;
  out.push_back('"');
  while (!text.empty()) {
    const size_t length = utf8_sequence(text);
    const auto b = static_cast<unsigned char>(text[0]);
    if (length == 0) {
      out += "\\ufffd";
      valid = false;
    } else if (b == '"' || b == '\\') {
      out.push_back('\\');
      out.push_back(text[0]);
    } else if (b < 0x20 || b == 0x7f) {
      out += fmt::format("\\u{:04x}", b);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out.push_back('"');
  return valid;
}

std::string base64_encode(std::string_view bytes) {
  std::string out = base64url_encode(bytes);
  for (char& c : out) c = c == '-' ? '+' : c == '_' ? '/' : c;
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out += fmt::format(",\"{}\":", name);
  append_string(out, text);
}

void append_item(std::string& out, const Captured& request) {
  out += fmt::format("{{\"id\":{}", request.number);
  append_member(out, "time", format_iso8601(request.time));
  append_member(out, "method", request.method);
  append_member(out, "path", request.path);
  append_member(out, "remote_address", request.remote_address);
  out += ",\"headers\":[";
  for (const auto& [name, value] : request.fields.all()) {
    if (out.back() != '[') out.push_back(',');
    out.push_back('[');
    append_string(out, name);
    out.push_back(',');
    append_string(out, value);
    out.push_back(']');
  }
  out += "],\"body\":";
  if (!append_string(out, request.body))
    append_member(out, "body_base64", base64_encode(request.body));
  out += fmt::format(",\"truncated\":{}}}", request.truncated);
}

}  // namespace

Result<Wish> parse_wish(std::string_view query) {
  TRY(const http::Form form, http::parse_query(query));
  Wish wish;
  if (const auto text = form.first("status")) {
    const auto status = parse_uint(*text);
    if (!status || *status < 200 || *status > 599) {
      return fail(Errc::kInvalidArgument, "status: must be from 200 to 599");
    }
    wish.status = static_cast<int>(*status);
  }
  if (const auto text = form.first("delay")) {
    TRY(wish.delay, parse_delay(*text));
  }
  if (const auto text = form.first("count")) {
    const auto count = parse_uint(*text);
    if (!count || *count > kMaxCount)
      return fail(Errc::kInvalidArgument, "count: must be from 0 to 1000000");
    wish.count = static_cast<uint32_t>(*count);
  }
  return wish;
}

Answer bin_answer(const Wish& wish, uint32_t repeat) {
  const bool granted = wish.count == 0 || repeat <= wish.count;
  Answer answer;
  if (granted) answer.delay = wish.delay;
  const int status = granted ? wish.status : 200;
  answer.response = http::json_response(
      status, status < 300 ? R"({"message":"Post received. Thanks!"})"
                           : R"({"message":"Post received. Status as asked for."})");
  // RFC 9110 section 15: these have no content.
  if (status == 204 || status == 205 || status == 304) answer.response.body.clear();
  answer.response.fields.set("X-Content-Type-Options", "nosniff");
  answer.response.fields.set("Content-Security-Policy", "sandbox; default-src 'none'");
  return answer;
}

std::string listing_json(const Listing& listing) {
  std::string out = "{\"items\":[";
  for (const auto& request : listing.items) {
    if (out.back() != '[') out.push_back(',');
    append_item(out, *request);
  }
  out += fmt::format("],\"total\":{}}}", listing.total);
  return out;
}

}  // namespace eventhorn::bin
