#include "store/rocks/tables/number_table.h"

#include "store/rocks/format.h"
#include "store/rocks/slice.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace eventhorn::store {

void NumberTable::put(std::string_view key, uint64_t value, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), to_slice(key), format::u64_key(value));
}

Result<std::optional<uint64_t>> NumberTable::load(std::string_view key) const {
  rocksdb::PinnableSlice value;
  TRY(const bool found, database_.get(Family::kMeta, key, value, "reading a number"));
  if (!found) return std::optional<uint64_t>();
  if (value.size() != 8) return format::damaged("number");
  return std::optional(format::get_u64_be(value.data()));
}

}  // namespace eventhorn::store
