// Progress as the start reads it back; commit.cc writes it.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>

namespace eventhorn::store {

Result<LoadedProgress> RocksStore::load_progress() {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  LoadedProgress out;
  rocksdb::ReadOptions once;
  once.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(once, family(kMeta)));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const auto key = it->key().ToStringView();
    const auto value = it->value().ToStringView();
    if (key[0] == format::kSlotPrefix) {
      if (value.size() != 8) return format::damaged("slot");
      const Position p{format::get_u64_be(it->value().data())};
      out.settled_through = out.by_slot.empty() ? p : std::min(out.settled_through, p);
      out.by_slot.push_back(p);  // keys are in the order of the slots
    } else if (key[0] == format::kLanePrefix) {
      TRY(auto row, format::decode_lane({format::get_u64_be(key.data() + 1)}, value));
      out.lanes.push_back(std::move(row));
    } else if (key[0] == format::kExceptionPrefix) {
      TRY(auto row, exception_of(key, value));
      if (row.missed) {
        ++out.missed;
      } else {
        out.waiting.push_back(row);
      }
    } else if (key[0] == format::kEndpointPrefix) {
      TRY(auto row, format::decode_endpoint(key.substr(1), value));
      out.endpoints.push_back(std::move(row));
    }
  }
  TRY_STATUS(to_status(it->status(), "reading progress"));
  return out;
}

Status RocksStore::reset_slots(uint32_t count, Position settled_through) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  rocksdb::WriteBatch batch;
  const std::string prefix(1, format::kSlotPrefix);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kMeta)));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next())
    batch.Delete(family(kMeta), it->key());
  for (uint32_t i = 0; i < count; ++i) {
    batch.Put(family(kMeta), format::meta_key(format::kSlotPrefix, i),
              format::u64_key(settled_through.value));
  }
  return write_synced(batch, "saving progress");
}

}  // namespace eventhorn::store
