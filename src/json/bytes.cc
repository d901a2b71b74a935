#include "json/bytes.h"

#include "base/check.h"

#include <simdjson.h>

namespace eventhorn::json {

bool valid_utf8(std::string_view text) {
  return simdjson::validate_utf8(text.data(), text.size());
}

std::string minify(std::string_view text) {
  // The vector stores of the last block may reach past the result.
  std::string out(text.size() + simdjson::SIMDJSON_PADDING, '\0');
  size_t size = 0;
  CHECK(simdjson::minify(text.data(), text.size(), out.data(), size) == simdjson::SUCCESS);
  out.resize(size);
  return out;
}

}  // namespace eventhorn::json
