#include "store/rocks/tables/lane_table.h"

#include "store/codec.h"

#include <rocksdb/write_batch.h>

#include <utility>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 2;  // added the source of a segment, its replay, and whether it's held

}  // namespace

std::string LaneTable::encode(const LaneRow& row) {
  Writer w;
  w.u8(kVersion);
  w.u64(row.domain.value);
  w.u16(row.segments.size());
  for (const auto& s : row.segments) {
    w.u8(static_cast<uint8_t>(s.cls));
    w.u64(s.after.value);
    w.u8(s.to ? 1 : 0);
    if (s.to) w.u64(s.to->value);
    w.u64(s.acked_through.value);
    w.u32(s.settled.size());
    for (const auto& r : s.settled) {
      w.u64(r.first.value);
      w.u64(r.last.value);
    }
    w.u8(static_cast<uint8_t>(s.source));
    w.u64(s.replay);
    w.u8(s.paused ? 1 : 0);
  }
  return w.take();
}

Result<LaneRow> LaneTable::decode(LaneId lane, std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, format::read_version(in, "lane", kVersion));
  LaneRow row{lane, {in.u64()}, {}};
  for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
    SegmentRow s;
    const uint8_t cls = in.u8();
    if (cls >= webhook::kClasses) return format::damaged("lane");
    s.cls = static_cast<webhook::Class>(cls);
    s.after = {in.u64()};
    if (in.u8() != 0) s.to = Position{in.u64()};
    s.acked_through = {in.u64()};
    for (uint32_t k = in.u32(); k > 0 && in.ok(); --k) {
      const Position first{in.u64()};
      s.settled.push_back({first, Position{in.u64()}});
    }
    if (version >= 2) {
      const uint8_t source = in.u8();
      if (source > static_cast<uint8_t>(SegmentRow::Source::kMissed))
        return format::damaged("lane");
      s.source = static_cast<SegmentRow::Source>(source);
      s.replay = in.u64();
      s.paused = in.u8() != 0;
    }
    row.segments.push_back(std::move(s));
  }
  if (!in.done()) return format::damaged("lane");
  return row;
}

void LaneTable::put(const LaneRow& row, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(row.lane), encode(row));
}

void LaneTable::remove(LaneId lane, rocksdb::WriteBatch& batch) const {
  batch.Delete(database_.family(Family::kMeta), key(lane));
}

}  // namespace eventhorn::store
