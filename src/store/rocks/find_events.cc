// From ids to positions.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

namespace eventhorn::store {

Result<std::vector<Position>> RocksStore::find_events(DomainUid domain,
                                                      const std::vector<std::string>& ids) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<Position> out(ids.size(), kNoPosition);
  // The tail first, as every reader does: what leaves it meanwhile is in the index by then.
  for (size_t i = 0; i < ids.size(); ++i) {
    if (const auto found = tail_.find(domain, ids[i])) out[i] = found->position;
  }
  std::vector<size_t> rest;
  std::vector<std::string> keys;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (out[i] != kNoPosition) continue;
    rest.push_back(i);
    keys.push_back(format::id_key(domain, ids[i]));
  }
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> values(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db_->MultiGet({}, family(kIds), slices.size(), slices.data(), values.data(), statuses.data());
  for (size_t k = 0; k < keys.size(); ++k) {
    if (statuses[k].IsNotFound()) continue;
    TRY_STATUS(to_status(statuses[k], "looking up an event id"));
    if (values[k].size() < 8) return fail(Errc::kCorruption, "damaged id row in the store");
    out[rest[k]] = {format::get_u64_be(values[k].data())};
  }
  return out;
}

}  // namespace eventhorn::store
