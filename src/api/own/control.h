// What the routes of /eventhorn/v1 share: lists in pages, endpoints by their id, and lanes by what
// is asked for.
#pragma once

#include "api/requests.h"
#include "base/time.h"
#include "json/writer.h"

#include <tl/expected.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::api {

/// What a list is asked for.
struct ListQuery {
  http::Form query;
  size_t limit = 100;  // 1 to 300
  std::string page;    // where it goes on, empty at the beginning
};

/// kInvalidArgument naming the parameter.
Result<ListQuery> read_list_query(const http::Request& request);

/// Ends `{"items":[...` with `],"paging":{"next":...}}`: the URL of this request with another
/// `page`. Pages go on until one is empty; that one's `next` is itself.
void end_list(json::Writer& writer, const http::Request& request, std::string_view page);

/// The key, and the time as RFC 3339 UTC or null.
void write_time(json::Writer& writer, std::string_view key, std::optional<SystemTime> time);

/// The key, and a status code or null for 0: no status line came.
void write_status(json::Writer& writer, std::string_view key, int status);

/// The key, and how long it takes at `rate` events per second in whole seconds, or null when the
/// rate is not known.
void write_eta(json::Writer& writer, std::string_view key, uint64_t events, double rate);

/// The field `retry_schedule`: durations, in several fields or one with commas between; nullopt
/// when it is empty, for the installation's. kInvalidArgument naming the entry.
Result<std::optional<std::vector<std::chrono::milliseconds>>> parse_schedule(
    const http::Form& form);

/// The key, and the durations as texts; null without a value.
void write_schedule(json::Writer& writer, std::string_view key,
                    const std::optional<std::vector<std::chrono::milliseconds>>& schedule);

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

/// Calls `use` for each position with its index and its event, null when that is gone or cannot be
/// read: on a reader's thread, a few at a time, since events may be large.
Task<Status> with_events(Services& services, const std::vector<Position>& positions,
                         const std::function<void(size_t, const store::EventPtr&)>& use);

/// A lane as it is configured.
struct LaneRef {
  store::DomainPtr domain;
  const store::LaneConfig* config;  // the domain's
};

/// Which lanes are meant: those for which all hold that is given.
struct LaneFilter {
  std::string domain;  // empty: all
  std::string url;     // empty: all
  std::optional<LaneId> lane{};
};

/// By id, those with ids after `after`, at most `limit`. kNotFound when there is no such domain, no
/// hook of it names the URL, or no lane that is meant has the id. May look at all lanes: not for a
/// core.
Result<std::vector<LaneRef>> find_lanes(const store::Directory& directory, const LaneFilter& filter,
                                        LaneId after = {}, size_t limit = SIZE_MAX);

}  // namespace eventhorn::api
