#include "store/rocks/rocks_store.h"

namespace eventhorn::store {

Result<EventCount> RocksStore::count_lane(const LaneQuery&) {
  return EventCount{};
}

}  // namespace eventhorn::store
