// Events of lanes that wait for a retry, or were missed.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/scan.h"
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

Status RocksStore::scan_exceptions(
    LaneId lane, Position after,
    const std::function<Result<bool>(const ExceptionRow&)>& each) const {
  const std::string prefix = format::meta_key(format::kExceptionPrefix, lane.value);
  const std::string from = format::meta_key(format::kExceptionPrefix, lane.value, after.value + 1);
  return scan_prefix(rows(kMeta), prefix, from, "reading exceptions",
                     [&](std::string_view key, std::string_view value) -> Result<bool> {
                       TRY(const auto row, exception_of(key, value));
                       return each(row);
                     });
}

Result<std::vector<ExceptionRow>> RocksStore::read_exceptions(LaneId lane, Position after,
                                                              size_t max, bool missed_only) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<ExceptionRow> out;
  if (max == 0) return out;
  const auto take = [&](const ExceptionRow& row) -> Result<bool> {
    if (row.missed || !missed_only) out.push_back(row);
    return out.size() < max;
  };
  TRY_STATUS(scan_exceptions(lane, after, take));
  return out;
}

}  // namespace eventhorn::store
