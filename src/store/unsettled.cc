#include "store/unsettled.h"

#include "base/check.h"

#include <algorithm>

namespace eventhorn::store {

Result<EventCount> count_unsettled(LaneLog& log, LaneQuery query,
                                   std::span<const PositionRange> settled) {
  CHECK(query.to);
  TRY(auto count, log.count_lane(query));
  const Position after = query.after;
  const Position to = *query.to;
  for (const auto& range : settled) {
    if (range.first > to) break;
    if (range.last <= after) continue;
    query.after = std::max(after, just_before(range.first));
    query.to = std::min(range.last, to);
    TRY(const auto of_range, log.count_lane(query));
    count.events -= std::min(count.events, of_range.events);
    count.bytes -= std::min(count.bytes, of_range.bytes);
  }
  return count;
}

}  // namespace eventhorn::store
