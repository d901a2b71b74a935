#include "store/rocks/tables/exception_table.h"

#include "store/codec.h"

#include <rocksdb/write_batch.h>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 3;  // added the position of the hook; 2 the hook

}  // namespace

std::string ExceptionTable::encode(const ExceptionRow& row) {
  Writer w(40);
  w.u8(kVersion);
  w.u8(row.missed ? 1 : 0);
  w.u16(row.attempts);
  w.i64(to_micros(row.last_attempt));
  w.i64(row.delay.count());
  w.u16(static_cast<uint64_t>(row.last_status));
  w.u8(static_cast<uint8_t>(row.hook));
  w.u8(row.hook_since ? 1 : 0);
  if (row.hook_since) w.u64(row.hook_since->value);
  return w.take();
}

bool ExceptionTable::has_hook(std::string_view value) {
  return !value.empty() && value[0] > 1;
}

Result<ExceptionRow> ExceptionTable::decode(LaneId lane, Position position,
                                            std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, format::read_version(in, "exception", kVersion));
  ExceptionRow row;
  row.lane = lane;
  row.position = position;
  row.missed = in.u8() != 0;
  row.attempts = in.u16();
  row.last_attempt = from_micros(in.i64());
  row.delay = Micros(in.i64());
  row.last_status = in.u16();
  if (version >= 2) {
    const uint8_t hook = in.u8();
    if (hook >= webhook::kHooks) return format::damaged("exception");
    row.hook = static_cast<webhook::Hook>(hook);
  }
  if (version >= 3 && in.u8() != 0) row.hook_since = Position{in.u64()};
  if (!in.done()) return format::damaged("exception");
  return row;
}

void ExceptionTable::put(const ExceptionRow& row, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(row.lane, row.position), encode(row));
}

void ExceptionTable::remove(LaneId lane, Position position, rocksdb::WriteBatch& batch) const {
  batch.Delete(database_.family(Family::kMeta), key(lane, position));
}

void ExceptionTable::remove_all(LaneId lane, rocksdb::WriteBatch& batch) const {
  batch.DeleteRange(database_.family(Family::kMeta),
                    format::meta_key(format::kExceptionPrefix, lane.value),
                    format::meta_key(format::kExceptionPrefix, lane.value + 1));
}

}  // namespace eventhorn::store
