// The read path of the embedded engine. Every reader takes the tail's runs first and opens its
// iterator after, so that an event that moves from the tail to an index meanwhile is seen (once or
// twice, never not at all).
#include "store/rocks/format.h"
#include "store/rocks/rocks_store.h"
#include "store/rocks/status.h"

#include <rocksdb/db.h>

#include <algorithm>
#include <array>

namespace eventhorn::store {
namespace {

// Positions so close together are read by one walk over the log instead of a look-up each.
constexpr uint64_t kDenseFactor = 4;
constexpr size_t kFetchAtOnce = 32;  // as RocksDB batches look-ups
constexpr size_t kAllBytes = SIZE_MAX;

struct Row {
  int64_t timestamp_us;
  std::string id;
  Position position;
  event::Name name;
  event::Severity severity;

  auto key() const { return std::tie(timestamp_us, id); }
};

// Rows of the tail inside the query's range and beyond its cursor, in the direction of travel, at
// most max_scan.
std::vector<Row> tail_rows(const Tail::Runs& runs, const PageQuery& q) {
  std::vector<const TailEntry*> found;
  for (const auto& run : runs) {
    const size_t n = run->size();
    for (size_t i = 0; i < n; ++i) {
      const auto& e = (*run)[i];
      if (e.domain != q.domain) continue;
      const bool in_range = q.ascending
                                ? e.timestamp_us >= q.first_us && e.timestamp_us < q.last_us
                                : e.timestamp_us <= q.first_us && e.timestamp_us > q.last_us;
      if (!in_range) continue;
      if (q.beyond) {
        const auto at = std::tie(e.timestamp_us, e.id);
        const std::string_view beyond_id = q.beyond->id;
        const auto cursor = std::tie(q.beyond->timestamp_us, beyond_id);
        if (q.ascending ? at <= cursor : at >= cursor) continue;
      }
      found.push_back(&e);
    }
  }
  const auto before = [&](const TailEntry* a, const TailEntry* b) {
    const auto ka = std::tie(a->timestamp_us, a->id);
    const auto kb = std::tie(b->timestamp_us, b->id);
    return q.ascending ? ka < kb : kb < ka;
  };
  const size_t keep = std::min(found.size(), q.max_scan);
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(keep), found.end(),
                    before);
  std::vector<Row> out;
  out.reserve(keep);
  for (size_t i = 0; i < keep; ++i) {
    const auto& e = *found[i];
    out.push_back({e.timestamp_us, std::string(e.id), e.position, e.name, e.severity});
  }
  return out;
}

// Walks `times` in the direction of travel.
class TimeWalk {
 public:
  TimeWalk(std::unique_ptr<rocksdb::Iterator> it, const PageQuery& q)
      : it_(std::move(it)), query_(q) {
    // Seek keys order (timestamp, id) as the rows do; the cursor only ever narrows the range.
    if (q.ascending) {
      std::string from = format::time_key(q.domain, std::max<int64_t>(q.first_us, 0), {});
      if (q.beyond)
        from =
            std::max(from, format::time_key(q.domain, q.beyond->timestamp_us, q.beyond->id + '\0'));
      it_->Seek(from);
    } else {
      std::string from = format::time_key(q.domain, std::max<int64_t>(q.first_us, 0),
                                          "\xff");  // after every id: they are ASCII
      if (q.beyond)
        from = std::min(from, format::time_key(q.domain, q.beyond->timestamp_us, q.beyond->id));
      it_->SeekForPrev(from);
      if (valid() && it_->key() == from) it_->Prev();
    }
  }

  bool valid() const {
    if (!it_->Valid() || it_->key().size() < 16 || it_->value().size() < 10) return false;
    if (format::get_u64_be(it_->key().data()) != query_.domain.value) return false;
    const auto ts = static_cast<int64_t>(format::get_u64_be(it_->key().data() + 8));
    return query_.ascending ? ts < query_.last_us : ts > query_.last_us;
  }

  Row row() const {
    const auto key = it_->key().ToStringView();
    const auto value = it_->value().ToStringView();
    return {static_cast<int64_t>(format::get_u64_be(key.data() + 8)),
            std::string(key.substr(16)),
            {format::get_u64_be(value.data())},
            static_cast<event::Name>(value[8]),
            static_cast<event::Severity>(value[9])};
  }

  void next() {
    if (query_.ascending) {
      it_->Next();
    } else {
      it_->Prev();
    }
  }

  Status status() const { return to_status(it_->status(), "reading the time index"); }

 private:
  std::unique_ptr<rocksdb::Iterator> it_;
  const PageQuery& query_;
};

}  // namespace

// Positions that lie close together.
Status RocksStore::fetch_run(const std::vector<Position>& positions, size_t max_bytes,
                             std::vector<EventPtr>& out) {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kLog)));
  it->Seek(format::u64_key(positions.front().value));
  size_t bytes = 0;
  for (const Position want : positions) {
    if (bytes > max_bytes) break;
    while (it->Valid() && format::get_u64_be(it->key().data()) < want.value) it->Next();
    if (it->Valid() && format::get_u64_be(it->key().data()) == want.value) {
      TRY(auto e, format::decode_log(want, it->value().ToStringView()));
      bytes += e->event.bytes.size();
      out.push_back(std::move(e));
    } else {
      out.push_back(nullptr);
    }
  }
  return to_status(it->status(), "reading the log");
}

Status RocksStore::fetch(const std::vector<Position>& positions, size_t max_bytes,
                         std::vector<EventPtr>& out) {
  if (positions.empty()) return {};
  const bool sorted = std::is_sorted(positions.begin(), positions.end());
  const uint64_t span = sorted ? positions.back().value - positions.front().value + 1 : 0;
  if (sorted && positions.size() > 8 && span <= positions.size() * kDenseFactor)
    return fetch_run(positions, max_bytes, out);
  std::array<std::string, kFetchAtOnce> keys;
  std::array<rocksdb::Slice, kFetchAtOnce> slices;
  std::array<rocksdb::PinnableSlice, kFetchAtOnce> values;
  std::array<rocksdb::Status, kFetchAtOnce> statuses;
  size_t bytes = 0;
  for (size_t done = 0; done < positions.size() && bytes <= max_bytes; done += kFetchAtOnce) {
    const size_t n = std::min(kFetchAtOnce, positions.size() - done);
    for (size_t i = 0; i < n; ++i) slices[i] = keys[i] = format::u64_key(positions[done + i].value);
    db_->MultiGet({}, family(kLog), n, slices.data(), values.data(), statuses.data());
    for (size_t i = 0; i < n; ++i) {
      if (statuses[i].IsNotFound()) {
        out.push_back(nullptr);
        continue;
      }
      TRY_STATUS(to_status(statuses[i], "reading the log"));
      TRY(auto e, format::decode_log(positions[done + i], values[i].ToStringView()));
      values[i].Reset();
      bytes += e->event.bytes.size();
      out.push_back(std::move(e));
    }
  }
  return {};
}

Result<std::vector<EventPtr>> RocksStore::read_events(const std::vector<Position>& positions) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<EventPtr> out;
  out.reserve(positions.size());
  TRY_STATUS(fetch(positions, kAllBytes, out));
  return out;
}

Result<std::vector<EventHead>> RocksStore::read_heads(Position after, size_t max) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  std::vector<EventHead> out;
  const uint64_t end = head().value;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, family(kLog)));
  for (it->Seek(format::u64_key(after.value + 1)); it->Valid() && out.size() < max; it->Next()) {
    const Position position{format::get_u64_be(it->key().data())};
    if (position.value > end) break;
    TRY(auto h, format::decode_head(position, it->value().ToStringView()));
    out.push_back(h);
  }
  TRY_STATUS(to_status(it->status(), "reading the log"));
  return out;
}

Result<PageSlice> RocksStore::read_page(const PageQuery& q) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  const auto runs = tail_.runs();
  TimeWalk walk(std::unique_ptr<rocksdb::Iterator>(db_->NewIterator({}, family(kTimes))), q);
  const auto tail = tail_rows(runs, q);
  size_t tail_next = 0;

  PageSlice out;
  std::vector<Position> chunk;
  std::vector<Row> chunk_rows;
  size_t bytes = 0;
  // Reads the bytes of the rows gathered so far; true at max_events and beyond max_bytes. Puts
  // `reached` on the last row taken.
  const auto drain = [&]() -> Result<bool> {
    std::vector<EventPtr> events;
    TRY_STATUS(fetch(chunk, q.max_bytes - bytes, events));
    for (size_t i = 0; i < events.size(); ++i) {
      if (out.events.size() == q.max_events) return true;
      out.reached = PageCursor{chunk_rows[i].timestamp_us, chunk_rows[i].id};
      if (!events[i]) continue;
      bytes += events[i]->event.bytes.size();
      if (!q.matches || q.matches(events[i]->event.bytes))
        out.events.push_back(std::move(events[i]));
    }
    const bool cut = events.size() < chunk.size() || bytes > q.max_bytes;
    chunk.clear();
    chunk_rows.clear();
    return cut || out.events.size() == q.max_events;
  };

  size_t scanned = 0;
  std::optional<PageCursor>
      skipped;  // rows that may_match refused need no bytes, but count as reached
  while (scanned < q.max_scan) {
    const bool have_tail = tail_next < tail.size();
    const bool have_index = walk.valid();
    if (!have_index) TRY_STATUS(walk.status());
    if (!have_tail && !have_index) {
      out.at_end = true;
      break;
    }
    Row row{};
    if (have_index) row = walk.row();
    bool take_tail = have_tail;
    if (have_tail && have_index) {
      if (row.key() == tail[tail_next].key()) {
        walk.next();  // seen on its way from the tail to the index
      } else {
        take_tail =
            q.ascending ? tail[tail_next].key() < row.key() : row.key() < tail[tail_next].key();
      }
    }
    if (take_tail) {
      row = tail[tail_next++];
    } else {
      walk.next();
    }
    ++scanned;
    if (q.may_match && !q.may_match(row.name, row.severity)) {
      skipped = PageCursor{row.timestamp_us, row.id};
      continue;
    }
    skipped.reset();
    chunk.push_back(row.position);
    chunk_rows.push_back(std::move(row));
    if (chunk.size() + out.events.size() < q.max_events && chunk.size() < 256) continue;
    TRY(const bool full, drain());
    if (full) return out;
  }
  TRY(const bool full, drain());
  if (full) {
    out.at_end = false;
    return out;
  }
  if (skipped) out.reached = skipped;
  return out;
}

}  // namespace eventhorn::store
