// The stored form of what operators set for a URL: a value beside the domains (Store::save_value).
#pragma once

#include "base/result.h"
#include "store/store.h"

#include <string>
#include <string_view>
#include <unordered_map>

namespace eventhorn::store {

/// "endpoint/" and the URL.
std::string endpoint_settings_key(std::string_view url);

std::string encode_endpoint_settings(const EndpointSettings& settings);
/// kCorruption for anything that encode_endpoint_settings does not make.
Result<EndpointSettings> decode_endpoint_settings(std::string_view value);

/// All of them, by URL. Blocks on the disk.
Result<std::unordered_map<std::string, EndpointSettings>> load_endpoint_settings(Store& store);

}  // namespace eventhorn::store
