// Small text helpers, ASCII only where case matters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn {

/// A control character of ASCII, DEL included.
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// Printable ASCII, space included.
constexpr bool is_printable(char c) {
  return c >= 0x20 && c < 0x7f;
}

std::string to_lower(std::string_view text);
bool equals_ignore_case(std::string_view a, std::string_view b);
/// Without leading and trailing space, tab, CR and LF.
std::string_view trim(std::string_view text);
/// Pieces between `separator`, empty ones included; one empty piece for an empty text.
std::vector<std::string_view> split(std::string_view text, char separator);

/// A whole decimal number without sign, spaces or overflow; nullopt otherwise.
std::optional<uint64_t> parse_uint(std::string_view text);

std::string to_hex(std::string_view bytes);
/// RFC 4648 section 5 alphabet, no padding.
std::string base64url_encode(std::string_view bytes);
/// Refuses padding, other alphabets and non-zero trailing bits, so that each value has one
/// spelling.
std::optional<std::string> base64url_decode(std::string_view text);
/// RFC 4648 section 4, padded.
std::string base64_encode(std::string_view bytes);
/// RFC 4648 section 4; padding optional (Basic credentials come both ways).
std::optional<std::string> base64_decode(std::string_view text);

/// Decodes %XX once; nullopt for a broken escape. `plus_is_space` for form and query values.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

/// Control characters, quotes and backslashes escaped as \n, \xNN, ...: safe inside one log line
/// (reliability A9).
std::string escape_for_log(std::string_view text, size_t max_length = 512);

/// At most `max_bytes` of a text from outside, with "..." where it goes on: for quoting it in an
/// error.
std::string clipped(std::string_view text, size_t max_bytes);

}  // namespace eventhorn
