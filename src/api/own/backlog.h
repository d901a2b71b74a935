// What lanes have not settled, counted from the store. Blocks on the disk: for readers' threads.
#pragma once

#include "api/services.h"
#include "control/deliveries.h"
#include "json/writer.h"
#include "store/lane_log.h"

#include <array>
#include <optional>

namespace eventhorn::api {

inline constexpr std::array<webhook::Class, webhook::kClasses> kClasses = {
    webhook::Class::kUrgent, webhook::Class::kNormal, webhook::Class::kBulk};

/// "urgent", "normal", "bulk".
std::string_view class_name(webhook::Class cls);

struct Backlog {
  /// In segments: of replays as well, so an event may count twice.
  std::array<store::EventCount, webhook::kClasses> by_class{};
  /// For a retry; their bytes are not counted.
  uint64_t waiting = 0;
  /// When the oldest of all was committed, as far as it is still kept.
  std::optional<SystemTime> oldest;

  uint64_t events() const;
  uint64_t bytes() const;
  void add(const Backlog& other);
};

/// The events of one segment of a lane. `through` ends an open one.
store::LaneQuery segment_query(const store::Domain& domain, LaneId lane,
                               const store::SegmentRow& segment, Position through);

/// Without those that are settled.
Result<store::EventCount> count_segment(store::LaneLog& log, const store::Domain& domain,
                                        LaneId lane, const store::SegmentRow& segment,
                                        Position through);

/// True when the position is in a settled range of the segment.
bool is_settled(const store::SegmentRow& segment, Position position);

/// {"events":..,"bytes":..,"urgent":..,"normal":..,"bulk":..,"waiting":..,"oldest":..,
/// "oldest_age_seconds":..}.
void write_backlog(json::Writer& writer, const Backlog& backlog, SystemTime now);

Result<Backlog> read_backlog(const StoreAccess& store, const store::Domain& domain,
                             const control::LaneStatus& lane);

}  // namespace eventhorn::api
