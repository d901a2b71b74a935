// Which segments a replay adds to which lanes, and how much that is.
#pragma once

#include "api/own/find_lanes.h"
#include "api/services.h"

#include <optional>
#include <string>
#include <vector>

namespace eventhorn::api {

struct ReplayScope : LaneFilter {
  /// Events committed in [begin, end); without them the missed ones.
  std::optional<SystemTime> begin;
  std::optional<SystemTime> end;
};

struct PlannedLane {
  LaneRef lane;
  /// One for each class that has something; their `replay` is not set yet.
  std::vector<store::SegmentRow> segments;
  store::EventCount count;
};

/// The lanes that have something to replay. kNotFound as find_lanes; kTimeout when the deadline
/// comes first.
Task<Result<std::vector<PlannedLane>>> plan_replay(Services& services, const ReplayScope& scope,
                                                   Deadline deadline);

/// How much a replay is, and how long it takes at the present rates of its URLs.
class ReplaySize {
 public:
  void add(const std::string& url, const store::EventCount& count);

  const store::EventCount& total() const { return total_; }

  /// {"events":..,"bytes":..,"seconds":..}, null for a time that cannot be told.
  Task<std::string> to_json(Services& services) const;

 private:
  store::EventCount total_;
  std::unordered_map<std::string, uint64_t> by_url_;
};

}  // namespace eventhorn::api
