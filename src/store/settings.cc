#include "store/settings.h"

namespace eventhorn::store {

std::string endpoint_settings_key(std::string_view url) {
  return std::string("endpoint/").append(url);
}

std::string encode_endpoint_settings(const EndpointSettings&) {
  return {};
}

Result<EndpointSettings> decode_endpoint_settings(std::string_view) {
  return EndpointSettings{};
}

Result<std::unordered_map<std::string, EndpointSettings>> load_endpoint_settings(Store&) {
  return std::unordered_map<std::string, EndpointSettings>{};
}

}  // namespace eventhorn::store
