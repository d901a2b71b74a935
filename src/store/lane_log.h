// The log as a lane sees it: the events of one domain and class, by position.
#pragma once

#include "base/result.h"
#include "store/model.h"

#include <array>
#include <optional>
#include <vector>

namespace eventhorn::store {

/// Events of one lane, read from the log through the index by (domain, class, position).
struct LaneQuery {
  DomainUid domain;
  webhook::Class cls{};
  Position after;
  std::optional<Position> to;
  /// For each hook the position after which its events belong to the lane; nullopt for hooks it
  /// does not have.
  Since since;
  /// With kMissed only positions that are missed rows of `lane` are taken.
  SegmentRow::Source source = SegmentRow::Source::kLog;
  LaneId lane{};
  size_t max_events = 256;
  /// One event comes whatever its size.
  size_t max_bytes = 1 << 20;

  bool wants(webhook::Hook hook, Position position) const {
    const auto& begin = since[static_cast<size_t>(hook)];
    return webhook::class_of(hook) == cls && begin && *begin < position;
  }
};

/// An event that is in an index, and whose record in the log cannot be read now, or ever.
struct UnreadableEvent {
  Position position;
  webhook::Hook hook{};
};

struct LaneSlice {
  std::vector<EventPtr> events;  // by position
  /// Every event asked for, up to and including this position, is in `events` or `unreadable`.
  Position through;
  /// True when nothing more is to be had now.
  bool at_end = false;
  /// Events of the range up to `through` that retention has dropped: exact in the 7 days after.
  size_t expired = 0;
  /// Those that could not be read: they cost themselves alone. By position.
  std::vector<UnreadableEvent> unreadable{};
};

struct EventCount {
  uint64_t events = 0;
  uint64_t bytes = 0;
};

class LaneLog {
 public:
  virtual ~LaneLog() = default;

  virtual Result<LaneSlice> read_lane(const LaneQuery& query) = 0;

  /// How many events read_lane would give over the whole range, and their bytes, without reading
  /// them: from running counts kept beside the index. Events that retention dropped are counted for
  /// 7 days more (with kMissed not at all). The bytes of missed events are an estimate.
  virtual Result<EventCount> count_lane(const LaneQuery& query) = 0;
};

}  // namespace eventhorn::store
