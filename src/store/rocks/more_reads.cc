#include "store/rocks/rocks_store.h"

namespace eventhorn::store {

Result<EventCount> RocksStore::count_lane(const LaneQuery&) {
  return EventCount{};
}

Result<Position> RocksStore::position_before(SystemTime) {
  return kNoPosition;
}

Result<std::vector<ExceptionRow>> RocksStore::read_exceptions(LaneId, Position, size_t, bool) {
  return std::vector<ExceptionRow>{};
}

Result<std::vector<AttemptRow>> RocksStore::read_attempts(LaneId, Position, SystemTime, size_t) {
  return std::vector<AttemptRow>{};
}

Result<std::vector<AttemptRow>> RocksStore::last_attempts(LaneId, SystemTime, size_t) {
  return std::vector<AttemptRow>{};
}

}  // namespace eventhorn::store
