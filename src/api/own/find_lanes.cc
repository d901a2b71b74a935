#include "api/own/find_lanes.h"

#include <algorithm>

namespace eventhorn::api {
Result<std::vector<LaneRef>> find_lanes(const store::Directory& directory, const LaneFilter& filter,
                                        LaneId after, size_t limit) {
  std::vector<LaneRef> out;
  if (filter.domain.empty() && !filter.lane) {
    for (const auto& [id, domain] : directory.lanes(after, limit, filter.url))
      out.push_back({domain, domain->find_lane(id)});
    return out;
  }
  const bool by_lane = filter.lane && filter.domain.empty();
  const auto domain = by_lane ? directory.find(*filter.lane) : directory.find(filter.domain);
  if (!domain) {
    return fail(Errc::kNotFound, by_lane ? "Lane not found" : "Domain not found");
  }
  for (const auto& lane : domain->lanes) {
    if (filter.url.empty() || lane.url == filter.url) out.push_back({domain, &lane});
  }
  if (out.empty() && !filter.domain.empty() && !filter.url.empty())
    return fail(Errc::kNotFound, "url: no webhook of the domain names it");
  if (filter.lane) {
    std::erase_if(out, [&](const LaneRef& ref) { return ref.config->id != *filter.lane; });
    if (out.empty()) return fail(Errc::kNotFound, "Lane not found");
  }
  std::erase_if(out, [&](const LaneRef& ref) { return ref.config->id <= after; });
  std::ranges::sort(out, {}, [](const LaneRef& ref) { return ref.config->id; });
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace eventhorn::api
