// The records of attempts. They are kept in the order of time; full ones are also found by their
// event.
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/scan.h"
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

SystemTime written_at(std::string_view key) {
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
  const auto take = [&](std::string_view key, std::string_view) -> Result<bool> {
    if (out.size() >= max) return false;
    const SystemTime at =
        from_micros(static_cast<int64_t>(format::get_u64_be(key.data() + prefix.size())));
    rocksdb::PinnableSlice value;
    const auto s = db_->Get({}, family(kAttempts), format::attempt_key(lane, at, position), &value);
    if (s.IsNotFound()) return true;
    TRY_STATUS(to_status(s, "reading an attempt"));
    const size_t before = out.size();
    TRY_STATUS(format::decode_attempts(lane, position, value.ToStringView(), out));
    if (out.size() == before) return format::damaged("attempt");
    out.back().written = at;
    return true;
  };
  return scan_prefix(rows(kTries), prefix, "reading attempts", take);
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
  size_t scanned = 0;
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    if (++scanned > kMaxScan) return false;
    const size_t before = out.size();
    TRY_STATUS(format::decode_attempts(lane, position, value, out));
    if (out.size() == before) return true;
    out.resize(before + 1);  // a pack has an event twice when it was replayed within it
    out.back().written = written_at(key);
    return out.size() < max && !out.back().failure.empty();
  };
  const std::string begin = format::attempt_key(lane, from, kNoPosition);
  TRY_STATUS(scan_prefix(rows(kAttempts), prefix, begin, "reading attempts", take));
  return out;
}

Result<std::vector<AttemptRow>> RocksStore::last_attempts(LaneId lane, SystemTime before,
                                                          size_t max) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<AttemptRow> out;
  const std::string prefix = format::u64_key(lane.value);
  const auto it = rows(kAttempts);
  for (it->SeekForPrev(format::attempt_key(lane, before, kNoPosition));
       it->Valid() && it->key().starts_with(prefix); it->Prev()) {
    const SystemTime written = written_at(it->key().ToStringView());
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
