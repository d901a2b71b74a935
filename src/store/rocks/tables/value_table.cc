#include "store/rocks/tables/value_table.h"

#include "store/rocks/scan.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace eventhorn::store {

void ValueTable::put(std::string_view name, std::string_view value,
                     rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(name), to_slice(value));
}

void ValueTable::remove(std::string_view name, rocksdb::WriteBatch& batch) const {
  batch.Delete(database_.family(Family::kMeta), key(name));
}

Result<std::optional<std::string>> ValueTable::load(std::string_view name) const {
  rocksdb::PinnableSlice value;
  TRY(const bool found, database_.get(Family::kMeta, key(name), value, "reading a setting"));
  if (!found) return std::optional<std::string>();
  return std::optional(value.ToString());
}

Result<std::vector<std::pair<std::string, std::string>>> ValueTable::load_all(
    std::string_view prefix) const {
  std::vector<std::pair<std::string, std::string>> out;
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    out.emplace_back(key.substr(1), value);
    return true;
  };
  TRY_STATUS(scan_prefix(database_.rows(Family::kMeta), key(prefix), "reading settings", take));
  return out;
}

}  // namespace eventhorn::store
