#include "store/rocks/database.h"

#include "base/check.h"
#include "store/rocks/slice.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#if __has_feature(thread_sanitizer)
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);
#endif

namespace eventhorn::store {
namespace {

// RocksDB has one writer copy the batches of others that write at the same time. ThreadSanitizer
// sees the copies, which the standard library makes, but not the locks around them, which are in a
// library that is built without it: what a write reads is not for it to judge.
class Unjudged {
 public:
#if __has_feature(thread_sanitizer)
  Unjudged() { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }

  ~Unjudged() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#else
  Unjudged() {}
#endif
  Unjudged(const Unjudged&) = delete;
  Unjudged& operator=(const Unjudged&) = delete;
};

}  // namespace

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
  const Unjudged unjudged;
  return to_status(db_->Write({}, &batch), doing);
}

Status Database::write_synced(rocksdb::WriteBatch& batch, const char* doing) const {
  rocksdb::WriteOptions options;
  options.sync = true;
  const Unjudged unjudged;
  return to_status(db_->Write(options, &batch), doing);
}

}  // namespace eventhorn::store
