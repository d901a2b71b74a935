// Lanes by what a request names: domain, URL or id.
#pragma once

#include "base/result.h"
#include "store/directory.h"

#include <optional>
#include <string>
#include <vector>

namespace eventhorn::api {

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
