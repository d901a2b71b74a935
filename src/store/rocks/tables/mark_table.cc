#include "store/rocks/tables/mark_table.h"

#include "base/check.h"
#include "store/codec.h"
#include "store/rocks/scan.h"

#include <rocksdb/write_batch.h>

namespace eventhorn::store {
namespace {

using codec::Reader;
using codec::Writer;

constexpr uint8_t kVersion = 3;  // 2 were those by core
constexpr char kKind = '*';

std::string prefix() {
  return format::meta_key(format::kSlotPrefix);
}

}  // namespace

std::string MarkTable::key(SlotSet slots) {
  CHECK(!slots.empty());
  return prefix() + kKind + format::u64_key(slots.bits);
}

bool MarkTable::is_by_core(std::string_view key) {
  return key.size() == 1 + 8;
}

std::string MarkTable::encode(Position settled_through) {
  Writer w(9);
  w.u8(kVersion);
  w.u64(settled_through.value);
  return w.take();
}

Result<SlotMark> MarkTable::decode(std::string_view key, std::string_view value) {
  if (key.size() != 2 + 8 || key[1] != kKind) return format::damaged("mark");
  Reader in(value);
  TRY_STATUS(format::read_version(in, "mark", kVersion));
  const SlotMark mark{{format::get_u64_be(key.data() + 2)}, {in.u64()}};
  if (!in.done() || mark.slots.empty()) return format::damaged("mark");
  return mark;
}

void MarkTable::put(const SlotMark& mark, rocksdb::WriteBatch& batch) const {
  batch.Put(database_.family(Family::kMeta), key(mark.slots), encode(mark.settled_through));
}

Status MarkTable::replace(std::span<const SlotMark> marks, rocksdb::WriteBatch& batch) const {
  const auto remove = [&](std::string_view key, std::string_view) -> Result<bool> {
    batch.Delete(database_.family(Family::kMeta), to_slice(key));
    return true;
  };
  TRY_STATUS(scan_prefix(database_.rows(Family::kMeta), prefix(), "reading progress", remove));
  for (const auto& mark : marks) put(mark, batch);
  return {};
}

Result<SlotMarks> MarkTable::load() const {
  SlotMarks out;
  const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
    if (is_by_core(key)) {  // keys are in the order of the cores
      if (value.size() != 8) return format::damaged("mark");
      out.add_core({format::get_u64_be(value.data())});
      return true;
    }
    TRY(const auto mark, decode(key, value));
    out.add(mark);
    return true;
  };
  TRY_STATUS(scan_prefix(database_.rows(Family::kMeta, /*once=*/true), prefix(), "reading progress",
                         take));
  return out;
}

}  // namespace eventhorn::store
