#include "store/rocks/tables/endpoint_table.h"

#include "store/codec.h"

#include <rocksdb/write_batch.h>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 3;  // added the last failure and how many there were in a row

}  // namespace

std::string EndpointTable::encode(const EndpointRow& row) {
  Writer w(64 + row.reason.size());
  w.u8(kVersion);
  w.u8(static_cast<uint8_t>(row.state));
  w.i64(to_micros(row.since));
  w.i64(to_micros(row.last_success));
  w.u32(row.probes);
  w.u32(row.healthy_peak);
  w.text(row.reason);
  w.i64(to_micros(row.last_failure));
  w.u32(row.failures);
  return w.take();
}

Result<EndpointRow> EndpointTable::decode(std::string_view url, std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, format::read_version(in, "endpoint", kVersion));
  EndpointRow row;
  row.url = std::string(url);
  const uint8_t state = in.u8();
  if (state > static_cast<uint8_t>(EndpointRow::State::kPaused)) return format::damaged("endpoint");
  row.state = static_cast<EndpointRow::State>(state);
  row.since = from_micros(in.i64());
  row.last_success = from_micros(in.i64());
  row.probes = in.u32();
  row.healthy_peak = in.u32();
  row.reason = std::string(in.text());
  if (version >= 3) {
    row.last_failure = from_micros(in.i64());
    row.failures = in.u32();
  }
  if (!in.done()) return format::damaged("endpoint");
  return row;
}

void EndpointTable::put(const EndpointRow& row, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(row.url), encode(row));
}

void EndpointTable::remove(std::string_view url, rocksdb::WriteBatch& batch) const {
  batch.Delete(database_.family(Family::kMeta), key(url));
}

}  // namespace eventhorn::store
