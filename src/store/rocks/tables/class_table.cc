#include "store/rocks/tables/class_table.h"

#include "store/rocks/status.h"

#include <rocksdb/db.h>

#include <tuple>

namespace eventhorn::store {
namespace {

// True when totals began anew between the two (RunningCounts::add_rows).
bool began_anew(const ClassTotals& first, const ClassTotals& last) {
  for (size_t slot = 0; slot < first.size(); ++slot)
    if (last[slot].events < first[slot].events || last[slot].bytes < first[slot].bytes) return true;
  return false;
}

}  // namespace

size_t class_slot(webhook::Hook hook) {
  static const auto slots = [] {
    std::array<size_t, webhook::kHooks> out{};
    std::array<size_t, webhook::kClasses> used{};
    for (const auto h : webhook::kAllHooks)
      out[static_cast<size_t>(h)] = used[static_cast<size_t>(webhook::class_of(h))]++;
    return out;
  }();
  return slots[static_cast<size_t>(hook)];
}

std::string ClassTable::prefix(DomainUid domain, webhook::Class cls) {
  std::string out;
  out.reserve(17);
  format::put_u64_be(out, domain.value);
  out.push_back(static_cast<char>(cls));
  return out;
}

std::string ClassTable::key(DomainUid domain, webhook::Class cls, Position position) {
  std::string out = prefix(domain, cls);
  format::put_u64_be(out, position.value);
  return out;
}

std::string ClassTable::encode(webhook::Hook hook, uint32_t bytes, const ClassTotals* totals) {
  std::string out;
  out.push_back(static_cast<char>(hook));
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(bytes >> shift));
  if (totals == nullptr) return out;
  for (const auto& count : *totals) {
    format::put_u64_be(out, count.events);
    format::put_u64_be(out, count.bytes);
  }
  return out;
}

Result<ClassRow> ClassTable::decode(std::string_view value) {
  constexpr size_t kPlain = 5;
  constexpr size_t kWithTotals = kPlain + std::tuple_size_v<ClassTotals> * 16;
  if (value.size() != 1 && value.size() != kPlain && value.size() != kWithTotals)
    return format::damaged("class");
  ClassRow out;
  const auto hook = static_cast<uint8_t>(value[0]);
  if (hook >= webhook::kHooks) return format::damaged("class");
  out.hook = static_cast<webhook::Hook>(hook);
  if (value.size() == 1) return out;
  for (size_t i = 1; i < kPlain; ++i) out.bytes = out.bytes << 8 | static_cast<uint8_t>(value[i]);
  if (value.size() == kPlain) return out;
  const char* at = value.data() + kPlain;
  for (auto& count : out.totals.emplace()) {
    count.events = format::get_u64_be(at);
    count.bytes = format::get_u64_be(at + 8);
    at += 16;
  }
  return out;
}

std::string ClassTable::encode_unseen(webhook::HookEvent event) {
  return {static_cast<char>(event.name), static_cast<char>(event.severity)};
}

Result<webhook::HookEvent> ClassTable::decode_event(webhook::Class cls, std::string_view value) {
  if (cls != kUnseen) {
    TRY(const auto row, decode(value));
    return webhook::event_of(row.hook);
  }
  if (value.size() != 2) return format::damaged("class");
  return webhook::HookEvent{static_cast<event::Name>(value[0]),
                            static_cast<event::Severity>(value[1])};
}

bool ClassTable::Walk::valid() const {
  return rows_.Valid() && rows_.key().starts_with(prefix_);
}

Position ClassTable::Walk::position() const {
  return {format::get_u64_be(rows_.key().data() + prefix_.size())};
}

Result<ClassRow> ClassTable::Walk::row() const {
  return decode(rows_.value().ToStringView());
}

Result<webhook::HookEvent> ClassTable::Walk::event() const {
  return decode_event(cls_, rows_.value().ToStringView());
}

void ClassTable::Walk::seek_after(Position position) {
  rows_.Seek(prefix_ + format::u64_key(just_after(position).value));
}

void ClassTable::Walk::seek_up_to(Position position) {
  rows_.SeekForPrev(prefix_ + format::u64_key(position.value));
}

void ClassTable::Walk::next() {
  rows_.Next();
}

void ClassTable::Walk::prev() {
  rows_.Prev();
}

Status ClassTable::Walk::status() const {
  return to_status(rows_.status(), "reading the catch-up index");
}

Result<ClassTotals> ClassTable::Walk::count(Position after, Position to, uint64_t& looked_at) {
  ClassTotals out{};
  std::optional<ClassTotals> first;
  for (seek_after(after); !first && valid() && position() <= to; next()) {
    TRY(const auto row, this->row());
    ++looked_at;
    add_event(out[class_slot(row.hook)], row.bytes);
    first = row.totals;
  }
  TRY_STATUS(status());
  if (!first) return out;
  std::optional<ClassTotals> last;
  for (seek_up_to(to); !last && valid(); prev()) {
    TRY(const auto row, this->row());
    ++looked_at;
    last = row.totals;
    if (!last) add_event(out[class_slot(row.hook)], row.bytes);
  }
  TRY_STATUS(status());
  if (!last) return format::damaged("class");
  if (began_anew(*first, *last)) first = ClassTotals{};
  for (size_t slot = 0; slot < out.size(); ++slot) {
    out[slot].events += (*last)[slot].events - (*first)[slot].events;
    out[slot].bytes += (*last)[slot].bytes - (*first)[slot].bytes;
  }
  return out;
}

Result<std::optional<ClassRow>> ClassTable::find(DomainUid domain, webhook::Class cls,
                                                 Position position) const {
  rocksdb::PinnableSlice value;
  TRY(const bool found, database_.get(Family::kClasses, key(domain, cls, position), value,
                                      "reading the catch-up index"));
  if (!found) return std::optional<ClassRow>();
  TRY(const auto row, decode(value.ToStringView()));
  return std::optional(row);
}

}  // namespace eventhorn::store
