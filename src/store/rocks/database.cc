#include "store/rocks/database.h"

#include "base/check.h"
#include "store/rocks/slice.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

namespace eventhorn::store {

Database::Database() = default;

Database::~Database() {
  close();
}

rocksdb::Status Database::open(const rocksdb::DBOptions& options, const std::string& path,
                               const std::vector<rocksdb::ColumnFamilyDescriptor>& families,
                               Access access) {
  CHECK(!is_open());
  CHECK(families.size() == kFamilyNames.size());
  rocksdb::DB* db = nullptr;
  auto status = access == Access::kReadAndWrite
                    ? rocksdb::DB::Open(options, path, families, &families_, &db)
                    : rocksdb::DB::OpenForReadOnly(options, path, families, &families_, &db);
  db_.reset(db);
  return status;
}

void Database::close() {
  if (!db_) return;
  for (auto* family : families_) db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  families_.clear();
  db_.reset();
}

Result<Database::Use> Database::use() const {
  Use use(mutex_);
  if (!db_) return fail(Errc::kUnavailable, "the store is closed until it can be reopened");
  return use;
}

std::unique_ptr<rocksdb::Iterator> Database::rows(Family f, bool once) const {
  rocksdb::ReadOptions options;
  options.fill_cache = !once;
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family(f)));
}

Result<bool> Database::get(Family f, std::string_view key, rocksdb::PinnableSlice& value,
                           const char* doing) const {
  const auto status = db_->Get({}, family(f), to_slice(key), &value);
  if (status.IsNotFound()) return false;
  TRY_STATUS(to_status(status, doing));
  return true;
}

Status Database::write(rocksdb::WriteBatch& batch, const char* doing) const {
  return to_status(db_->Write({}, &batch), doing);
}

}  // namespace eventhorn::store
