// Events of lanes that wait for a retry, or were missed.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

namespace eventhorn::store {

// Rows of the former version have no hook: their events tell it, while there are any.
Result<ExceptionRow> RocksStore::exception_of(std::string_view key, std::string_view value) const {
  const LaneId lane{format::get_u64_be(key.data() + 1)};
  const Position position{format::get_u64_be(key.data() + 9)};
  TRY(auto row, format::decode_exception(lane, position, value));
  if (format::exception_has_hook(value)) return row;
  rocksdb::PinnableSlice logged;
  const auto s = db_->Get({}, family(kLog), format::u64_key(position.value), &logged);
  if (s.IsNotFound()) return row;
  TRY_STATUS(to_status(s, "reading the log"));
  TRY(const auto head, format::decode_head(position, logged.ToStringView()));
  row.hook = webhook::hook_for(head.name, head.severity).value_or(row.hook);
  return row;
}

Result<std::vector<ExceptionRow>> RocksStore::read_exceptions(LaneId lane, Position after,
                                                              size_t max, bool missed_only) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<ExceptionRow> out;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kMeta)));
  const std::string prefix = format::meta_key(format::kExceptionPrefix, lane.value);
  for (it->Seek(format::meta_key(format::kExceptionPrefix, lane.value, after.value + 1));
       it->Valid() && it->key().starts_with(prefix) && out.size() < max; it->Next()) {
    TRY(auto row, exception_of(it->key().ToStringView(), it->value().ToStringView()));
    if (row.missed || !missed_only) out.push_back(row);
  }
  TRY_STATUS(to_status(it->status(), "reading exceptions"));
  return out;
}

}  // namespace eventhorn::store
