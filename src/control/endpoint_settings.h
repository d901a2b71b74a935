// The stored form of what operators set for a URL: a value beside the domains
// (store::Values::save_value).
#pragma once

#include "base/result.h"
#include "store/model.h"
#include "store/values.h"
#include "webhook/standard.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace eventhorn::control {

/// "endpoint/" and the URL.
std::string endpoint_settings_key(std::string_view url);

std::string encode_endpoint_settings(const store::EndpointSettings& settings);
/// kCorruption for anything that encode_endpoint_settings does not make.
Result<store::EndpointSettings> decode_endpoint_settings(std::string_view value);

/// Of one URL; the defaults when nothing was set. Blocks on the disk.
Result<store::EndpointSettings> load_endpoint_settings(store::Values& values,
                                                       const std::string& url);

/// The keys that sign what is sent to the URL: none unless its owner asked for Standard Webhooks.
std::vector<webhook::StandardSecret> standard_secrets(const store::EndpointSettings& settings);

/// All of them, by URL. Blocks on the disk.
Result<std::unordered_map<std::string, store::EndpointSettings>> load_endpoint_settings(
    store::Values& values);

}  // namespace eventhorn::control
