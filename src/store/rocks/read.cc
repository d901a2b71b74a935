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
constexpr size_t kFetchFirst = 4;    // they tell how large the others may be
constexpr size_t kAllBytes = SIZE_MAX;
// Rows of a page whose events are fetched together.
constexpr size_t kRowsAtOnce = 256;

// Look-ups that together hold about what is left of max_bytes, after `done` ones with `bytes`.
size_t fetch_at_once(size_t done, size_t bytes, size_t max_bytes) {
  if (max_bytes == kAllBytes) return kFetchAtOnce;
  if (done == 0) return kFetchFirst;
  return std::clamp((max_bytes - bytes) / (bytes / done + 1), size_t{1}, kFetchAtOnce);
}

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

// The rows of the tail and of the index in the direction of travel.
class MergedRows {
 public:
  /// `runs` were taken before `it` was opened.
  MergedRows(std::unique_ptr<rocksdb::Iterator> it, const Tail::Runs& runs, const PageQuery& q)
      : walk_(std::move(it), q), tail_(tail_rows(runs, q)), ascending_(q.ascending) {}

  /// nullopt at the end of the range. An index that cannot be read is an error, whatever the tail
  /// still has.
  Result<std::optional<Row>> next() {
    const bool have_tail = tail_next_ < tail_.size();
    if (!walk_.valid()) {
      TRY_STATUS(walk_.status());
      return have_tail ? std::optional(std::move(tail_[tail_next_++])) : std::nullopt;
    }
    Row row = walk_.row();
    if (have_tail) {
      auto& tail = tail_[tail_next_];
      const bool same = row.key() == tail.key();  // seen on its way from the tail to the index
      const bool tail_first =
          same || (ascending_ ? tail.key() < row.key() : row.key() < tail.key());
      if (same) walk_.next();
      if (tail_first) {
        ++tail_next_;
        return std::optional(std::move(tail));
      }
    }
    walk_.next();
    return std::optional(std::move(row));
  }

 private:
  TimeWalk walk_;
  std::vector<Row> tail_;
  const bool ascending_;
  size_t tail_next_ = 0;
};

}  // namespace

/// Rows whose events are wanted and not fetched yet.
struct RocksStore::PageRows {
  std::vector<Position> positions{};
  std::vector<PageCursor> cursors{};
  size_t bytes = 0;  // looked at so far

  void add(Row&& row) {
    positions.push_back(row.position);
    cursors.push_back({row.timestamp_us, std::move(row.id)});
  }
};

// Positions that lie close together.
Status RocksStore::fetch_run(const std::vector<Position>& positions, size_t max_bytes,
                             std::vector<EventPtr>& out) {
  const auto it = rows(kLog);
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
  size_t n = 0;
  for (size_t done = 0; done < positions.size() && bytes <= max_bytes; done += n) {
    n = std::min(fetch_at_once(done, bytes, max_bytes), positions.size() - done);
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

// As fetch(), one by one, so that a record that cannot be read costs itself alone. The statuses are
// those of the events; the event of an error is null.
std::vector<Status> RocksStore::fetch_each(const std::vector<Position>& positions, size_t max_bytes,
                                           std::vector<EventPtr>& out) {
  std::vector<Status> statuses;
  out.clear();
  size_t bytes = 0;
  for (const Position position : positions) {
    if (bytes > max_bytes) break;
    std::vector<EventPtr> one;
    statuses.push_back(fetch({position}, max_bytes, one));
    out.push_back(statuses.back() ? std::move(one.front()) : nullptr);
    if (out.back()) bytes += out.back()->event.bytes.size();
  }
  return statuses;
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
  const auto it = rows(kLog);
  for (it->Seek(format::u64_key(after.value + 1)); it->Valid() && out.size() < max; it->Next()) {
    const Position position{format::get_u64_be(it->key().data())};
    if (position.value > end) break;
    TRY(auto h, format::decode_head(position, it->value().ToStringView()));
    out.push_back(h);
  }
  TRY_STATUS(to_status(it->status(), "reading the log"));
  return out;
}

// Fetches the events of `rows` and empties it; true when the slice ends with one of them. A damaged
// record is left out and named, because it will not become readable; an error of the disk ends the
// slice, because it may.
Result<bool> RocksStore::take_rows(const PageQuery& q, PageRows& rows, PageSlice& out) {
  size_t taken = 0;
  while (!rows.positions.empty()) {
    std::vector<EventPtr> events;
    std::vector<Status> each;
    if (!fetch(rows.positions, q.max_bytes - rows.bytes, events))
      each = fetch_each(rows.positions, q.max_bytes - rows.bytes, events);
    for (size_t i = 0; i < events.size(); ++i) {
      auto& event = events[i];
      if (!each.empty() && !each[i]) {
        if (each[i].error().code != Errc::kCorruption) return fail(each[i].error());
        out.damaged.push_back(rows.cursors[taken].id);
      }
      out.reached = std::move(rows.cursors[taken++]);
      if (event) rows.bytes += event->event.bytes.size();
      if (event && (!q.matches || q.matches(event->event.bytes)))
        out.events.push_back(std::move(event));
      if (out.events.size() == q.max_events || rows.bytes >= q.max_bytes) return true;
      if (q.give_up && taken < rows.cursors.size() && q.give_up()) return true;
    }
    rows.positions.erase(rows.positions.begin(),
                         rows.positions.begin() + static_cast<std::ptrdiff_t>(events.size()));
  }
  rows.cursors.clear();
  return false;
}

Result<PageSlice> RocksStore::read_page(const PageQuery& q) {
  const std::shared_lock lock(db_mutex_);
  TRY_STATUS(usable());
  const auto runs = tail_.runs();
  MergedRows merged(rows(kTimes), runs, q);
  const uint64_t floor = floors_->events;
  PageSlice out;
  PageRows rows;
  // Rows that need no bytes, because their events are refused or gone, count as reached.
  std::optional<PageCursor> passed;
  for (size_t scanned = 0; scanned < q.max_scan && !out.at_end; ++scanned) {
    TRY(auto row, merged.next());
    if (!row) {
      out.at_end = true;
    } else if (row->position.value < floor ||
               (q.may_match && !q.may_match(row->name, row->severity))) {
      passed = PageCursor{row->timestamp_us, std::move(row->id)};
      continue;
    } else {
      passed.reset();
      rows.add(std::move(*row));
      const size_t wanted = std::min(kRowsAtOnce, q.max_events - out.events.size());
      if (rows.positions.size() < wanted) continue;
    }
    TRY(const bool ended, take_rows(q, rows, out));
    if (ended) out.at_end = false;
    if (ended || (!out.at_end && q.give_up && q.give_up())) return out;
  }
  TRY(const bool ended, take_rows(q, rows, out));
  if (!ended && passed) out.reached = std::move(passed);
  return out;
}

}  // namespace eventhorn::store
