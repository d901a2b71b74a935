#include "store/rocks/tables/clock_table.h"

#include "store/codec.h"
#include "store/rocks/format.h"
#include "store/rocks/slice.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <utility>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 1;

}  // namespace

std::string ClockTable::encode(const KeptClock::Saved& saved) {
  Writer w;
  w.u8(kVersion);
  w.i64(to_micros(saved.kept));
  w.u64(saved.at.boot);
  w.i64(saved.at.since.count());
  w.u16(saved.gaps.size());
  for (const auto& gap : saved.gaps) {
    w.i64(to_micros(gap.begin));
    w.i64(to_micros(gap.end));
  }
  w.u8(!saved.open ? 0 : saved.open->corrected ? 2 : 1);
  if (saved.open) w.i64(to_micros(saved.open->begin));
  return w.take();
}

Result<KeptClock::Saved> ClockTable::decode(std::string_view value) {
  Reader in(value);
  TRY_STATUS(format::read_version(in, "kept clock", kVersion));
  KeptClock::Saved out;
  out.kept = from_micros(in.i64());
  out.at.boot = in.u64();
  out.at.since = Micros(in.i64());
  for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
    const SystemTime begin = from_micros(in.i64());
    out.gaps.push_back({begin, from_micros(in.i64())});
  }
  const uint8_t open = in.u8();
  if (open > 2) return format::damaged("kept clock");
  if (open != 0) out.open = KeptClock::OpenGap{from_micros(in.i64()), open == 2};
  if (!in.done()) return format::damaged("kept clock");
  return out;
}

void ClockTable::put(const KeptClock::Saved& saved, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), to_slice(format::kKeptClockKey), encode(saved));
}

Result<std::optional<KeptClock::Saved>> ClockTable::load() const {
  rocksdb::PinnableSlice value;
  TRY(const bool found,
      database_.get(Family::kMeta, format::kKeptClockKey, value, "reading the kept clock"));
  if (!found) return std::optional<KeptClock::Saved>();
  TRY(auto saved, decode(value.ToStringView()));
  return std::optional(std::move(saved));
}

}  // namespace eventhorn::store
