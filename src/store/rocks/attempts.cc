// The records of attempts. They are kept in the order of time; full ones are also found by their
// event.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace eventhorn::store {
namespace {

// Rows that a search for the success of one event looks at: some 20 ms of work, and more than a
// minute of a busy lane.
constexpr size_t kMaxScan = 16'384;

SystemTime written_at(const rocksdb::Slice& key) {
  return from_micros(static_cast<int64_t>(format::get_u64_be(key.data() + 8)));
}

}  // namespace

// The keys follow from the rows, so that progress that is written again leaves no second record.
void RocksStore::put_attempts(const std::vector<AttemptRow>& rows, rocksdb::WriteBatch& batch) {
  std::map<LaneId, std::vector<const AttemptRow*>> successes;
  for (const auto& row : rows) {
    if (row.attempt == 1 && row.failure.empty() && row.error.empty()) {
      successes[row.lane].push_back(&row);
      continue;
    }
    batch.Put(family(kAttempts), format::attempt_key(row.lane, row.written, row.position),
              format::encode_attempt(row));
    batch.Put(family(kTries), format::try_key(row.lane, row.position, row.written), {});
  }
  for (const auto& [lane, packed] : successes) {
    const auto* last = *std::max_element(
        packed.begin(), packed.end(),
        [](const AttemptRow* a, const AttemptRow* b) { return a->written < b->written; });
    batch.Put(family(kAttempts), format::attempt_key(lane, last->written, packed.front()->position),
              format::encode_successes(packed));
  }
}

// Attempts that have full records: all but successes at the first try.
Status RocksStore::full_attempts(LaneId lane, Position position, size_t max,
                                 std::vector<AttemptRow>& out) const {
  const std::string prefix = format::try_prefix(lane, position);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kTries)));
  for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix) && out.size() < max;
       it->Next()) {
    const SystemTime at =
        from_micros(static_cast<int64_t>(format::get_u64_be(it->key().data() + prefix.size())));
    rocksdb::PinnableSlice value;
    const auto s = db_->Get({}, family(kAttempts), format::attempt_key(lane, at, position), &value);
    if (s.IsNotFound()) continue;
    TRY_STATUS(to_status(s, "reading an attempt"));
    const size_t before = out.size();
    TRY_STATUS(format::decode_attempts(lane, position, value.ToStringView(), out));
    if (out.size() == before) return format::damaged("attempt");
    out.back().written = at;
  }
  return to_status(it->status(), "reading attempts");
}

Result<std::vector<AttemptRow>> RocksStore::read_attempts(LaneId lane, Position position,
                                                          SystemTime committed, size_t max) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<AttemptRow> out;
  TRY_STATUS(full_attempts(lane, position, max, out));
  if (out.size() >= max) return out;
  // A success at the first try is packed with others of its moment: at the only try, or after a
  // replay behind the failures. Full records of the former version are met here as well.
  const SystemTime from = out.empty() ? committed : out.back().written + Micros(1);
  const std::string prefix = format::u64_key(lane.value);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kAttempts)));
  size_t scanned = 0;
  for (it->Seek(format::attempt_key(lane, from, kNoPosition));
       it->Valid() && it->key().starts_with(prefix) && ++scanned <= kMaxScan; it->Next()) {
    const size_t before = out.size();
    TRY_STATUS(format::decode_attempts(lane, position, it->value().ToStringView(), out));
    if (out.size() == before) continue;
    out.back().written = written_at(it->key());
    if (out.size() == max || out.back().failure.empty()) break;
  }
  TRY_STATUS(to_status(it->status(), "reading attempts"));
  return out;
}

Result<std::vector<AttemptRow>> RocksStore::last_attempts(LaneId lane, SystemTime before,
                                                          size_t max) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<AttemptRow> out;
  const std::string prefix = format::u64_key(lane.value);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kAttempts)));
  for (it->SeekForPrev(format::attempt_key(lane, before, kNoPosition));
       it->Valid() && it->key().starts_with(prefix); it->Prev()) {
    const SystemTime written = written_at(it->key());
    if (out.size() >= max && (out.empty() || out.back().written != written)) break;
    const size_t first = out.size();
    TRY_STATUS(format::decode_attempts(lane, std::nullopt, it->value().ToStringView(), out));
    for (size_t i = first; i < out.size(); ++i) out[i].written = written;
    std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
              [](const AttemptRow& a, const AttemptRow& b) {
                return std::tie(a.at, a.position) > std::tie(b.at, b.position);
              });
  }
  TRY_STATUS(to_status(it->status(), "reading attempts"));
  return out;
}

}  // namespace eventhorn::store
