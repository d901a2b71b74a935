#include "store/slots.h"

#include "base/hash.h"

#include <algorithm>
#include <map>

namespace eventhorn::store {

uint32_t slot_of(std::string_view url) {
  return static_cast<uint32_t>(hash_bytes(url) % kSlots);
}

SlotSet SlotSet::of_core(uint32_t core, uint32_t cores) {
  SlotSet out;
  for (uint32_t slot = core; slot < kSlots; slot += cores) out.add(slot);
  return out;
}

void SlotMarks::add(const SlotMark& mark) {
  ++rows_;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (mark.slots.contains(slot))
      by_slot_[slot] = std::max(by_slot_[slot].value_or(kNoPosition), mark.settled_through);
  }
}

void SlotMarks::add_core(Position settled_through) {
  ++rows_;
  by_core_.push_back(settled_through);
}

Position SlotMarks::of_core(std::string_view url, uint32_t cores) const {
  return by_core_.size() == cores ? by_core_[hash_bytes(url) % cores]
                                  : *std::ranges::min_element(by_core_);
}

Position SlotMarks::begin_of(std::string_view url, uint32_t cores) const {
  const auto& mark = by_slot_[slot_of(url)];
  if (!by_core_.empty()) return std::max(mark.value_or(kNoPosition), of_core(url, cores));
  return mark ? *mark : least();
}

Position SlotMarks::least() const {
  const Position unmarked = by_core_.empty() ? kNoPosition : *std::ranges::min_element(by_core_);
  std::optional<Position> out;
  for (const auto& mark : by_slot_) {
    if (!mark && by_core_.empty()) continue;
    const Position p = std::max(mark.value_or(kNoPosition), unmarked);
    out = std::min(out.value_or(p), p);
  }
  return out.value_or(unmarked);
}

Position SlotMarks::least_of(SlotSet slots) const {
  const Position all = least();
  if (!by_core_.empty()) return all;
  std::optional<Position> out;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (!slots.contains(slot)) continue;
    const Position mark = by_slot_[slot].value_or(all);
    out = std::min(out.value_or(mark), mark);
  }
  return out.value_or(all);
}

bool SlotMarks::to_be_rewritten() const {
  if (by_core_.empty()) return rows_ == 0 || rows_ > kSlots;
  const Position greatest = *std::ranges::max_element(by_core_);
  return std::ranges::all_of(by_slot_, [&](const auto& mark) { return mark && *mark >= greatest; });
}

std::vector<SlotMark> SlotMarks::joined() const {
  const Position least = this->least();
  std::map<Position, SlotSet> by_position;
  for (uint32_t slot = 0; slot < kSlots; ++slot)
    by_position[std::max(by_slot_[slot].value_or(least), least)].add(slot);
  std::vector<SlotMark> out;
  for (const auto& [position, slots] : by_position) out.push_back({slots, position});
  return out;
}

}  // namespace eventhorn::store
