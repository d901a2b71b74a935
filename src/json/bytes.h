// Fast passes over the bytes of JSON text, by simdjson. Pure and thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace eventhorn::json {

/// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool valid_utf8(std::string_view text);

/// Removes the spaces between the tokens of `text`, which must be valid JSON: of broken text it
/// would join tokens ("1 2" to "12").
std::string minify(std::string_view text);

}  // namespace eventhorn::json
