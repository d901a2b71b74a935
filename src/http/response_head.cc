#include "http/response_head.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace eventhorn::http {
namespace {

// RFC 9110 section 15, RFC 6585. An unknown status has an empty reason, which is allowed.
std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "";
  }
}

bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 4> kOurs = {"Content-Length", "Connection", "Date",
                                                     "Transfer-Encoding"};
  return std::any_of(kOurs.begin(), kOurs.end(),
                     [&](auto ours) { return equals_ignore_case(ours, name); });
}

void append_safe(std::string& out, std::string_view text) {
  const auto start = static_cast<std::ptrdiff_t>(out.size());
  out += text;
  const auto unsafe = [](char c) { return is_control(c) && c != '\t'; };
  std::replace_if(out.begin() + start, out.end(), unsafe, ' ');
}

// Status line and all fields but those about the body and the connection.
void append_fields(std::string& out, const Response& response, std::string_view date) {
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                 reason_phrase(response.status), date);
  bool has_type = false;
  bool has_nosniff = false;
  for (const auto& [name, value] : response.fields.all()) {
    if (is_ours(name)) continue;
    has_type = has_type || equals_ignore_case(name, "Content-Type");
    has_nosniff = has_nosniff || equals_ignore_case(name, "X-Content-Type-Options");
    append_safe(out, name);
    out += ": ";
    append_safe(out, value);
    out += "\r\n";
  }
  if (!has_type) out += "Content-Type: text/plain; charset=utf-8\r\n";
  if (!has_nosniff) out += "X-Content-Type-Options: nosniff\r\n";
}

}  // namespace

bool has_content(int status) {
  return status >= 200 && status != 204 && status != 304;
}

void append_response_head(std::string& out, const Response& response, bool keep_alive,
                          std::string_view date) {
  append_fields(out, response, date);
  if (has_content(response.status)) {
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", response.body.size());
  }
  out += keep_alive ? "\r\n" : "Connection: close\r\n\r\n";
}

void append_stream_head(std::string& out, const Response& response, bool chunked,
                        std::string_view date) {
  append_fields(out, response, date);
  if (chunked) out += "Transfer-Encoding: chunked\r\n";
  out += "Connection: close\r\n\r\n";
}

}  // namespace eventhorn::http
