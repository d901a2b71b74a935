#include "webhook/headers.h"

#include "base/strings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

namespace eventhorn::webhook {
namespace {

constexpr std::array<std::string_view, 9> kReserved = {
    "host",    "transfer-encoding", "connection", "expect",    "te",
    "trailer", "upgrade",           "keep-alive", "user-agent"};
constexpr std::array<std::string_view, 5> kReservedPrefixes = {"content-", "proxy-", "webhook-",
                                                               "x-mailgun-", "eventhorn-"};

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

tl::unexpected<Error> refuse(std::string_view name, std::string_view rule) {
  return fail(Errc::kInvalidArgument,
              fmt::format("headers: {}: {}", escape_for_log(name, 100), rule));
}

}  // namespace

Status check_custom_header(std::string_view name, std::string_view value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_char))
    return refuse(name, "a name must be letters, digits and !#$%&'*+-.^_`|~");
  const std::string lower = to_lower(name);
  const bool reserved =
      std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end() ||
      std::any_of(kReservedPrefixes.begin(), kReservedPrefixes.end(),
                  [&](std::string_view prefix) { return lower.starts_with(prefix); });
  if (reserved) return refuse(name, "can't be set, it belongs to the delivery itself");
  if (!std::all_of(value.begin(), value.end(), is_printable))
    return refuse(name, "a value must be printable ASCII");
  if (trim(value) != value) return refuse(name, "a value must not begin or end with a space");
  return {};
}

Status check_custom_headers(std::span<const Header> headers) {
  if (headers.size() > kMaxCustomHeaders) {
    return fail(Errc::kInvalidArgument,
                fmt::format("headers: at most {} are allowed", kMaxCustomHeaders));
  }
  size_t bytes = 0;
  std::set<std::string> seen;
  for (const auto& [name, value] : headers) {
    TRY_STATUS(check_custom_header(name, value));
    if (!seen.insert(to_lower(name)).second) return refuse(name, "must not stand twice");
    bytes += name.size() + value.size() + 4;
  }
  if (bytes > kMaxCustomHeaderBytes) {
    return fail(Errc::kInvalidArgument,
                fmt::format("headers: at most {} bytes in all", kMaxCustomHeaderBytes));
  }
  return {};
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (const char c : value) {
    if (is_printable(c)) {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  out += "\r\n";
}

}  // namespace eventhorn::webhook
