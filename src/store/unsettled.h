// What is left of a lane's range when what is settled is taken away.
#pragma once

#include "store/lane_log.h"

#include <span>

namespace eventhorn::store {

/// The events of the query's range that are in none of `settled`, which are in order and disjoint.
/// Blocks on the disk, a few reads for each of them. `query.to` must be set.
Result<EventCount> count_unsettled(LaneLog& log, LaneQuery query,
                                   std::span<const PositionRange> settled);

}  // namespace eventhorn::store
