#include "store/endpoint_id.h"

#include "crypto/hash.h"

#include <fmt/format.h>

#include <charconv>

namespace eventhorn::store {

EndpointId endpoint_id(std::string_view url) {
  const auto digest = crypto::sha256(url);
  EndpointId out{0};
  for (size_t i = 0; i < sizeof out.value; ++i) out.value = out.value << 8 | digest[i];
  return out;
}

std::string to_text(EndpointId id) {
  return fmt::format("{:016x}", id.value);
}

std::optional<EndpointId> parse_endpoint_id(std::string_view text) {
  EndpointId out{0};
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, out.value, 16);
  if (text.size() != kEndpointIdDigits || read.ec != std::errc() || read.ptr != end)
    return std::nullopt;
  return out;
}

}  // namespace eventhorn::store
