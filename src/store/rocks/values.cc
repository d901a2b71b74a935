// Values kept beside the domains.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/scan.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace eventhorn::store {

Result<std::optional<std::string>> RocksStore::load_value(const std::string& key) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::string value;
  const auto s = db_->Get({}, family(kMeta), format::meta_key(format::kValuePrefix, key), &value);
  if (s.IsNotFound()) return std::optional<std::string>();
  TRY_STATUS(to_status(s, "reading a setting"));
  return std::optional<std::string>(std::move(value));
}

Status RocksStore::save_value(const std::string& key, const std::string& value) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  rocksdb::WriteBatch batch;
  batch.Put(family(kMeta), format::meta_key(format::kValuePrefix, key), value);
  return write_synced(batch, "saving a setting");
}

Status RocksStore::remove_value(const std::string& key) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  rocksdb::WriteBatch batch;
  batch.Delete(family(kMeta), format::meta_key(format::kValuePrefix, key));
  return write_synced(batch, "removing a setting");
}

Status RocksStore::save_values(const ValueChanges& changes) {
  const std::shared_lock lock(db_mutex_);
  if (failed_ || !db_) return fail(Errc::kUnavailable, kNotReopened);
  rocksdb::WriteBatch batch;
  for (const auto& [key, value] : changes) {
    const auto place = format::meta_key(format::kValuePrefix, key);
    if (value) {
      batch.Put(family(kMeta), place, *value);
    } else {
      batch.Delete(family(kMeta), place);
    }
  }
  return write(batch, /*has_stamps=*/false);
}

Result<std::vector<std::pair<std::string, std::string>>> RocksStore::load_values(
    const std::string& prefix) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<std::pair<std::string, std::string>> out;
  const std::string begin = format::meta_key(format::kValuePrefix, prefix);
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    out.emplace_back(key.substr(1), value);
    return true;
  };
  TRY_STATUS(scan_prefix(rows(kMeta), begin, "reading settings", take));
  return out;
}

}  // namespace eventhorn::store
