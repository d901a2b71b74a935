// Endpoints by their id: all that a webhook names, that have settings, or that delivery knows.
#pragma once

#include "api/services.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::api {

/// As the API names a URL: store::endpoint_id, 16 hex digits.
std::string endpoint_id(std::string_view url);

/// What a page of endpoints is asked for.
struct EndpointQuery {
  std::optional<store::EndpointId> after;
  size_t limit = 0;
  std::optional<control::EndpointState> state;
};

/// Endpoints by id: those that a webhook names, that have settings, or that delivery knows. One
/// that delivery does not know is active and idle. kTimeout when `deadline` comes first.
Task<Result<std::vector<control::EndpointStatus>>> read_endpoints(Services& services,
                                                                  const EndpointQuery& query,
                                                                  Deadline deadline);

/// The URL with this id; kNotFound when read_endpoints() would not give it.
Task<Result<std::string>> find_endpoint_url(Services& services, std::string_view id);

/// Of the path parameter `id`.
Task<Result<std::string>> find_endpoint_url(Services& services,
                                            const http::RequestContext& context);

}  // namespace eventhorn::api
