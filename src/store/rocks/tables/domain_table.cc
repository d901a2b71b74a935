#include "store/rocks/tables/domain_table.h"

#include "store/codec.h"

#include <rocksdb/write_batch.h>

#include <utility>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 2;  // added the retry schedule

}  // namespace

std::string DomainTable::encode(const Domain& d) {
  Writer w(256);
  w.u8(kVersion);
  w.u64(d.uid.value);
  w.text(d.name);
  w.text(d.id);
  w.i64(to_micros(d.created_at));
  w.u32(d.lanes.size());
  for (const auto& lane : d.lanes) {
    w.u64(lane.id.value);
    w.text(lane.url);
  }
  for (const auto& subs : d.hooks) {
    w.u8(subs.size());
    for (const auto& sub : subs) {
      w.u64(sub.lane.value);
      w.u64(sub.since.value);
    }
  }
  w.u8(d.retry_schedule ? 1 : 0);
  if (d.retry_schedule) w.durations(*d.retry_schedule);
  return w.take();
}

Result<DomainPtr> DomainTable::decode(std::string_view value) {
  Reader in(value);
  TRY(const uint8_t version, format::read_version(in, "domain", kVersion));
  auto d = std::make_shared<Domain>();
  d->uid = {in.u64()};
  d->name = std::string(in.text());
  d->id = std::string(in.text());
  d->created_at = from_micros(in.i64());
  for (uint32_t n = in.u32(); n > 0 && in.ok(); --n) {
    const LaneId id{in.u64()};
    d->lanes.push_back({id, std::string(in.text())});
  }
  for (auto& subs : d->hooks) {
    for (uint8_t n = in.u8(); n > 0 && in.ok(); --n) {
      const LaneId lane{in.u64()};
      subs.push_back({lane, Position{in.u64()}});
      if (d->find_lane(lane) == nullptr) return format::damaged("domain");
    }
  }
  if (version >= 2 && in.u8() != 0) d->retry_schedule = in.durations();
  if (!in.done()) return format::damaged("domain");
  return DomainPtr(std::move(d));
}

void DomainTable::put(std::string_view name, const Domain& domain,
                      rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(name), encode(domain));
}

void DomainTable::remove(std::string_view name, rocksdb::WriteBatch& batch) const {
  batch.Delete(database_.family(Family::kMeta), key(name));
}

}  // namespace eventhorn::store
