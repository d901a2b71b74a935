// Progress as the start reads it back; commit.cc writes it.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace eventhorn::store {
namespace {

Status add_mark(std::string_view key, std::string_view value, SlotMarks& marks) {
  if (format::is_core_mark(key)) {  // keys are in the order of the cores
    if (value.size() != 8) return format::damaged("mark");
    marks.add_core({format::get_u64_be(value.data())});
    return {};
  }
  TRY(const auto mark, format::decode_mark(key, value));
  marks.add(mark);
  return {};
}

}  // namespace

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
      TRY_STATUS(add_mark(key, value, out.marks));
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

Status RocksStore::replace_marks(std::span<const SlotMark> marks) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  rocksdb::WriteBatch batch;
  const std::string prefix(1, format::kSlotPrefix);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kMeta)));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix); it->Next())
    batch.Delete(family(kMeta), it->key());
  for (const auto& mark : marks) {
    batch.Put(family(kMeta), format::mark_key(mark.slots),
              format::encode_mark(mark.settled_through));
  }
  return write_synced(batch, "saving progress");
}

}  // namespace eventhorn::store
