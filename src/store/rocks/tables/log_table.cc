#include "store/rocks/tables/log_table.h"

#include "store/codec.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <utility>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 1;

// Positions so close together are read by one walk over the log instead of a look-up each.
constexpr uint64_t kDenseFactor = 4;
constexpr size_t kReadAtOnce = 32;  // as RocksDB batches look-ups
constexpr size_t kReadFirst = 4;    // they tell how large the others may be

struct Header {
  bool push;
  uint16_t shard;
  uint64_t domain;
  uint8_t name;
  uint8_t severity;
  int64_t timestamp_us;
  int64_t committed_us;
  uint64_t order_key;
  std::string_view id;
};

Result<Header> read_header(Reader& in) {
  if (in.u8() != kVersion) return format::damaged("log");
  Header h{};
  h.push = (in.u8() & 1) != 0;
  h.shard = in.u16();
  h.domain = in.u64();
  h.name = in.u8();
  h.severity = in.u8();
  h.timestamp_us = static_cast<int64_t>(in.u64());
  h.committed_us = static_cast<int64_t>(in.u64());
  h.order_key = in.u64();
  h.id = in.raw(in.u8());
  if (!in.ok()) return format::damaged("log");
  return h;
}

// Look-ups that together hold about what is left of max_bytes, after `done` ones with `bytes`.
size_t read_at_once(size_t done, size_t bytes, size_t max_bytes) {
  if (max_bytes == LogTable::kAllBytes) return kReadAtOnce;
  if (done == 0) return kReadFirst;
  return std::clamp((max_bytes - bytes) / (bytes / done + 1), size_t{1}, kReadAtOnce);
}

}  // namespace

std::string LogTable::header(const NewEvent& e, SystemTime committed) {
  Writer w(64 + e.event.id.size());
  w.u8(kVersion);
  w.u8(e.push ? 1 : 0);
  w.u16(e.shard.value);
  w.u64(e.domain.value);
  w.u8(static_cast<uint8_t>(e.event.name));
  w.u8(static_cast<uint8_t>(e.event.severity));
  w.u64(static_cast<uint64_t>(e.event.timestamp_us));
  w.u64(static_cast<uint64_t>(to_micros(committed)));
  w.u64(e.event.order_key);
  w.u8(e.event.id.size());
  w.raw(e.event.id);
  return w.take();
}

Result<EventPtr> LogTable::decode(Position position, std::string_view value) {
  Reader in(value);
  TRY(const auto h, read_header(in));
  auto out = std::make_shared<StoredEvent>();
  out->position = position;
  out->domain = {h.domain};
  out->shard = {h.shard};
  out->push = h.push;
  out->committed = from_micros(h.committed_us);
  out->event.id = std::string(h.id);
  out->event.timestamp_us = h.timestamp_us;
  out->event.name = static_cast<event::Name>(h.name);
  out->event.severity = static_cast<event::Severity>(h.severity);
  out->event.order_key = h.order_key;
  out->event.bytes = std::string(in.rest());
  out->hold();
  return EventPtr(std::move(out));
}

Result<EventHead> LogTable::decode_head(Position position, std::string_view value) {
  Reader in(value);
  TRY(const auto h, read_header(in));
  return EventHead{position,
                   {h.domain},
                   h.push,
                   static_cast<event::Name>(h.name),
                   static_cast<event::Severity>(h.severity)};
}

Status LogTable::put(Position position, const NewEvent& event, SystemTime committed,
                     rocksdb::WriteBatch& batch) const {
  const std::string row = key(position);
  const std::string head = header(event, committed);
  const rocksdb::Slice key_parts[] = {row};
  const rocksdb::Slice value_parts[] = {head, event.event.bytes};
  return to_status(batch.Put(database_.family(Family::kLog), {key_parts, 1}, {value_parts, 2}),
                   "batching an event");
}

Result<std::optional<Position>> LogTable::last() const {
  const auto it = database_.rows(Family::kLog);
  it->SeekToLast();
  TRY_STATUS(to_status(it->status(), "reading the end of the log"));
  if (!it->Valid()) return std::optional<Position>();
  return std::optional(position_of(it->key().ToStringView()));
}

Result<std::vector<EventHead>> LogTable::read_heads(Position after, Position through,
                                                    size_t max) const {
  std::vector<EventHead> out;
  const auto it = database_.rows(Family::kLog);
  for (it->Seek(key(just_after(after))); it->Valid() && out.size() < max; it->Next()) {
    const Position position = position_of(it->key().ToStringView());
    if (position > through) break;
    TRY(auto head, decode_head(position, it->value().ToStringView()));
    out.push_back(head);
  }
  TRY_STATUS(to_status(it->status(), "reading the log"));
  return out;
}

Result<std::vector<EventHead>> LogTable::read_heads_back(Position through, size_t max) const {
  std::vector<EventHead> out;
  const auto it = database_.rows(Family::kLog);
  for (it->SeekForPrev(key(through)); it->Valid() && out.size() < max; it->Prev()) {
    TRY(auto head, decode_head(position_of(it->key().ToStringView()), it->value().ToStringView()));
    out.push_back(head);
  }
  TRY_STATUS(to_status(it->status(), "reading the log"));
  return out;
}

// Positions that lie close together.
Status LogTable::read_run(const std::vector<Position>& positions, size_t max_bytes,
                          std::vector<EventPtr>& out) const {
  const auto it = database_.rows(Family::kLog);
  it->Seek(key(positions.front()));
  size_t bytes = 0;
  for (const Position want : positions) {
    if (bytes > max_bytes) break;
    while (it->Valid() && position_of(it->key().ToStringView()) < want) it->Next();
    if (it->Valid() && position_of(it->key().ToStringView()) == want) {
      TRY(auto event, decode(want, it->value().ToStringView()));
      bytes += event->event.bytes.size();
      out.push_back(std::move(event));
    } else {
      out.push_back(nullptr);
    }
  }
  return to_status(it->status(), "reading the log");
}

Status LogTable::read(const std::vector<Position>& positions, size_t max_bytes,
                      std::vector<EventPtr>& out) const {
  if (positions.empty()) return {};
  const bool sorted = std::is_sorted(positions.begin(), positions.end());
  const uint64_t span = sorted ? positions.back().value - positions.front().value + 1 : 0;
  if (sorted && positions.size() > 8 && span <= positions.size() * kDenseFactor)
    return read_run(positions, max_bytes, out);
  std::array<std::string, kReadAtOnce> keys;
  std::array<rocksdb::Slice, kReadAtOnce> slices;
  std::array<rocksdb::PinnableSlice, kReadAtOnce> values;
  std::array<rocksdb::Status, kReadAtOnce> statuses;
  size_t bytes = 0;
  size_t n = 0;
  for (size_t done = 0; done < positions.size() && bytes <= max_bytes; done += n) {
    n = std::min(read_at_once(done, bytes, max_bytes), positions.size() - done);
    for (size_t i = 0; i < n; ++i) slices[i] = keys[i] = key(positions[done + i]);
    database_->MultiGet({}, database_.family(Family::kLog), n, slices.data(), values.data(),
                        statuses.data());
    for (size_t i = 0; i < n; ++i) {
      if (statuses[i].IsNotFound()) {
        out.push_back(nullptr);
        continue;
      }
      TRY_STATUS(to_status(statuses[i], "reading the log"));
      TRY(auto event, decode(positions[done + i], values[i].ToStringView()));
      values[i].Reset();
      bytes += event->event.bytes.size();
      out.push_back(std::move(event));
    }
  }
  return {};
}

std::vector<Status> LogTable::read_each(const std::vector<Position>& positions, size_t max_bytes,
                                        std::vector<EventPtr>& out) const {
  std::vector<Status> statuses;
  out.clear();
  size_t bytes = 0;
  for (const Position position : positions) {
    if (bytes > max_bytes) break;
    std::vector<EventPtr> one;
    statuses.push_back(read({position}, max_bytes, one));
    out.push_back(statuses.back() ? std::move(one.front()) : nullptr);
    if (out.back()) bytes += out.back()->event.bytes.size();
  }
  return statuses;
}

Result<std::optional<EventHead>> LogTable::find_head(Position position) const {
  rocksdb::PinnableSlice value;
  TRY(const bool found, database_.get(Family::kLog, key(position), value, "reading the log"));
  if (!found) return std::optional<EventHead>();
  TRY(const auto head, decode_head(position, value.ToStringView()));
  return std::optional(head);
}

Result<Position> LogTable::first_committed_since(SystemTime time, Position begin,
                                                 Position end) const {
  const auto it = database_.rows(Family::kLog);
  uint64_t low = begin.value;
  uint64_t high = end.value;
  while (low < high) {
    const uint64_t mid = low + (high - low) / 2;
    it->Seek(key({mid}));
    if (!it->Valid()) {
      TRY_STATUS(to_status(it->status(), "reading the log"));
      high = mid;
      continue;
    }
    const Position found = position_of(it->key().ToStringView());
    if (found.value >= high) {  // also what is not visible yet
      high = mid;
      continue;
    }
    TRY(const auto event, decode(found, it->value().ToStringView()));
    if (event->committed < time) {
      low = just_after(found).value;
    } else {
      high = mid;
    }
  }
  TRY_STATUS(to_status(it->status(), "reading the log"));
  return Position{low};
}

Result<uint64_t> LogTable::bytes_from(Position begin) const {
  const std::string first = key(begin);
  const std::string last(first.size() + 1, '\xff');
  const rocksdb::Range range(first, last);
  rocksdb::SizeApproximationOptions options;
  options.files_size_error_margin = 0;
  uint64_t bytes = 0;
  TRY_STATUS(to_status(
      database_->GetApproximateSizes(options, database_.family(Family::kLog), &range, 1, &bytes),
      "measuring the log"));
  return bytes;
}

// Only files count. What is in memory is written to one where it is much beside the limit.
Result<SystemTime> LogTable::cut_to_bytes(uint64_t bytes, Position begin, Position last) const {
  auto* family = database_.family(Family::kLog);
  uint64_t in_memory = 0;
  database_->GetIntProperty(family, rocksdb::DB::Properties::kSizeAllMemTables, &in_memory);
  if (in_memory > bytes / 8)
    TRY_STATUS(to_status(database_->Flush({}, family), "writing the log's tables"));
  TRY(const auto all, bytes_from(begin));
  if (all <= bytes) return SystemTime();
  uint64_t low = begin.value, high = last.value;
  while (low < high) {
    const uint64_t mid = low + (high - low) / 2;
    TRY(const auto from, bytes_from({mid}));
    if (from <= bytes) {
      high = mid;
    } else {
      low = mid + 1;
    }
  }
  const auto it = database_.rows(Family::kLog);
  it->Seek(key({low}));
  TRY_STATUS(to_status(it->status(), "reading the log"));
  if (!it->Valid()) return SystemTime();
  TRY(const auto event, decode({low}, it->value().ToStringView()));
  return event->committed;
}

void LogTable::drop_before(Position end, rocksdb::WriteBatch& batch) const {
  batch.DeleteRange(database_.family(Family::kLog), key(kNoPosition), key(end));
}

Status LogTable::drop_files_before(Position end) const {
  const std::string first = key(kNoPosition);
  const std::string last = key(end);
  const rocksdb::Slice first_slice(first);
  const rocksdb::Slice last_slice(last);
  return to_status(rocksdb::DeleteFilesInRange(&*database_, database_.family(Family::kLog),
                                               &first_slice, &last_slice, /*include_end=*/false),
                   "dropping old events");
}

}  // namespace eventhorn::store
