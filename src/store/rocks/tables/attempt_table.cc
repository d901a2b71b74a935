#include "store/rocks/tables/attempt_table.h"

#include "base/check.h"
#include "store/codec.h"
#include "store/rocks/scan.h"
#include "store/rocks/slice.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

// Kinds of records.
constexpr uint8_t kPackedSuccesses = 1;
constexpr uint8_t kFull = 2;
constexpr uint8_t kFullWithPhases = 3;  // as kFull, and how it spent its time

// Flags of phases.
constexpr uint8_t kKeptConnection = 1;
constexpr uint8_t kWholeAnswer = 2;

constexpr size_t kMaxScan = 16'384;

void write_phases(Writer& w, const webhook::Phases& phases) {
  for (const auto phase : {phases.dns, phases.connect, phases.tls, phases.exchange})
    w.u32(static_cast<uint64_t>(std::min<int64_t>(phase.count(), UINT32_MAX)));
  w.u8((phases.kept_connection ? kKeptConnection : 0) | (phases.whole_answer ? kWholeAnswer : 0));
}

webhook::Phases read_phases(Reader& in) {
  webhook::Phases out;
  for (auto* phase : {&out.dns, &out.connect, &out.tls, &out.exchange})
    *phase = std::chrono::microseconds(in.u32());
  const uint8_t flags = in.u8();
  out.kept_connection = (flags & kKeptConnection) != 0;
  out.whole_answer = (flags & kWholeAnswer) != 0;
  return out;
}

SystemTime written_at(std::string_view key) {
  return from_micros(static_cast<int64_t>(format::get_u64_be(key.data() + 8)));
}

}  // namespace

std::string AttemptTable::key(LaneId lane, SystemTime written, Position position) {
  std::string out;
  out.reserve(24);
  format::put_u64_be(out, lane.value);
  format::put_u64_be(out, static_cast<uint64_t>(std::max<int64_t>(to_micros(written), 0)));
  format::put_u64_be(out, position.value);
  return out;
}

std::string AttemptTable::encode_packed(const std::vector<const AttemptRow*>& rows) {
  Writer w(1 + rows.size() * 20);
  w.u8(kPackedSuccesses);
  for (const auto* row : rows) {
    w.u64(row->position.value);
    w.i64(to_micros(row->at));
    w.u16(static_cast<uint64_t>(std::min<int64_t>(row->took.count(), 0xffff)));
    w.u16(static_cast<uint64_t>(row->status));
  }
  return w.take();
}

std::string AttemptTable::encode(const AttemptRow& row) {
  Writer w(64 + row.error.size() + row.response.size());
  w.u8(row.phases ? kFullWithPhases : kFull);
  w.u64(row.position.value);
  w.i64(to_micros(row.at));
  w.u32(static_cast<uint64_t>(row.took.count()));
  w.u16(static_cast<uint64_t>(row.attempt));
  w.u16(static_cast<uint64_t>(row.status));
  w.text(row.failure);
  w.text(row.error);
  w.text(row.response);
  if (row.phases) write_phases(w, *row.phases);
  return w.take();
}

Status AttemptTable::decode(LaneId lane, std::optional<Position> only, std::string_view value,
                            std::vector<AttemptRow>& out) {
  Reader in(value);
  const uint8_t kind = in.u8();
  if (kind == kPackedSuccesses) {
    while (in.left() > 0) {
      AttemptRow row;
      row.lane = lane;
      row.position = {in.u64()};
      row.at = from_micros(in.i64());
      row.took = std::chrono::milliseconds(in.u16());
      row.status = in.u16();
      if (!in.ok()) return format::damaged("attempt");
      if (!only || row.position == *only) out.push_back(std::move(row));
    }
    return {};
  }
  if (kind != kFull && kind != kFullWithPhases) return format::damaged("attempt");
  AttemptRow row;
  row.lane = lane;
  row.position = {in.u64()};
  if (only && in.ok() && row.position != *only) return {};
  row.at = from_micros(in.i64());
  row.took = std::chrono::milliseconds(in.u32());
  row.attempt = in.u16();
  row.status = in.u16();
  row.failure = std::string(in.text());
  row.error = std::string(in.text());
  row.response = std::string(in.text());
  if (kind == kFullWithPhases) row.phases = read_phases(in);
  if (!in.done()) return format::damaged("attempt");
  out.push_back(std::move(row));
  return {};
}

void AttemptTable::put(const AttemptRow& row, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kAttempts), key(row.lane, row.written, row.position),
            encode(row));
}

void AttemptTable::put_packed(const std::vector<const AttemptRow*>& rows,
                              rocksdb::WriteBatch& batch) const {
  CHECK(!rows.empty());
  const auto* last = *std::max_element(
      rows.begin(), rows.end(),
      [](const AttemptRow* a, const AttemptRow* b) { return a->written < b->written; });
  const auto* first = rows.front();
  batch.Put(database_.family(Family::kAttempts), key(first->lane, last->written, first->position),
            encode_packed(rows));
}

Status AttemptTable::read(LaneId lane, SystemTime written, Position position,
                          std::vector<AttemptRow>& out) const {
  rocksdb::PinnableSlice value;
  TRY(const bool found,
      database_.get(Family::kAttempts, key(lane, written, position), value, "reading an attempt"));
  if (!found) return {};
  const size_t before = out.size();
  TRY_STATUS(decode(lane, position, value.ToStringView(), out));
  if (out.size() == before) return format::damaged("attempt");
  out.back().written = written;
  return {};
}

Status AttemptTable::find_success(LaneId lane, Position position, SystemTime from, size_t max,
                                  std::vector<AttemptRow>& out) const {
  size_t scanned = 0;
  const auto take = [&](std::string_view row, std::string_view value) -> Result<bool> {
    if (++scanned > kMaxScan) return false;
    const size_t before = out.size();
    TRY_STATUS(decode(lane, position, value, out));
    if (out.size() == before) return true;
    out.resize(before + 1);  // a pack has an event twice when it was replayed within it
    out.back().written = written_at(row);
    return out.size() < max && !out.back().failure.empty();
  };
  return scan_prefix(database_.rows(Family::kAttempts), format::u64_key(lane.value),
                     key(lane, from, kNoPosition), "reading attempts", take);
}

Result<bool> AttemptTable::rewrite(std::string_view key, std::string_view value,
                                   const std::function<bool(std::string& text)>& change,
                                   rocksdb::WriteBatch& batch) const {
  if (value.empty() || static_cast<uint8_t>(value[0]) == kPackedSuccesses) return false;
  std::vector<AttemptRow> rows;
  if (!decode({}, std::nullopt, value, rows) || rows.size() != 1) return false;
  auto& row = rows.front();
  const bool error = change(row.error);
  const bool response = change(row.response);
  if (error || response) batch.Put(database_.family(Family::kAttempts), to_slice(key), encode(row));
  return error || response;
}

Result<std::vector<AttemptRow>> AttemptTable::read_back(LaneId lane, SystemTime before,
                                                        size_t max) const {
  std::vector<AttemptRow> out;
  const std::string prefix = format::u64_key(lane.value);
  const auto it = database_.rows(Family::kAttempts);
  for (it->SeekForPrev(key(lane, before, kNoPosition));
       it->Valid() && it->key().starts_with(prefix); it->Prev()) {
    const SystemTime written = written_at(it->key().ToStringView());
    if (out.size() >= max && (out.empty() || out.back().written != written)) break;
    const size_t first = out.size();
    TRY_STATUS(decode(lane, std::nullopt, it->value().ToStringView(), out));
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
