// Slots: 64 fixed parts of all URLs, by their hash. A slot holds the endpoints and lanes of its
// URLs, and is what one owner has: cores of a process share the slots out by modulo. Progress is
// kept by slot, so that it holds for any number of cores.
//
// The mark of a slot says how far it is settled: lanes of the slot that have no row have settled
// everything up to there. Marks of slots that have the same position are one row, which their core
// writes. Rows of another sharing out stay beside it for a while, because a mark never falls: of
// several rows that name a slot the greatest holds.
#pragma once

#include "base/ids.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// Stored on disk by number: do not change.
inline constexpr uint32_t kSlots = 64;

/// The slot of a URL, below kSlots.
uint32_t slot_of(std::string_view url);

/// Which of `cores` cores, at least one, has the URL. Cores beyond kSlots have none.
inline uint32_t core_of(std::string_view url, uint32_t cores) {
  return slot_of(url) % cores;
}

/// Some of the slots: slot i is bit i.
struct SlotSet {
  uint64_t bits = 0;

  static SlotSet all() { return {~uint64_t{0}}; }

  /// Those of one of `cores` cores.
  static SlotSet of_core(uint32_t core, uint32_t cores);

  bool empty() const { return bits == 0; }

  bool contains(uint32_t slot) const { return (bits >> slot & 1) != 0; }

  void add(uint32_t slot) { bits |= uint64_t{1} << slot; }

  friend bool operator==(SlotSet, SlotSet) = default;
};

/// Lanes of these slots without a row have settled everything up to the position.
struct SlotMark {
  SlotSet slots;
  Position settled_through;
  friend bool operator==(const SlotMark&, const SlotMark&) = default;
};

/// All the marks that a store has, as the start reads them. A value.
class SlotMarks {
 public:
  /// One row.
  void add(const SlotMark& mark);

  /// A row of a version before slots, whose cores shared out the hashes of URLs themselves. Rows
  /// come in the order of the cores.
  void add_core(Position settled_through);

  /// Where a URL begins in a process of `cores` cores. In a store without marks that is the
  /// beginning of the log. A slot without a mark begins at the least of the others, because all
  /// slots are marked before the first is changed, and only damage takes a mark away.
  ///
  /// Rows by core hold for the same number of cores; for another one only what all had settled is
  /// sure.
  Position begin_of(std::string_view url, uint32_t cores) const;

  /// The least that begin_of() gives for any URL.
  Position least() const;
  /// The same for the URLs of these slots.
  Position least_of(SlotSet slots) const;

  /// True when joined() is to be written in place of all rows before a process changes any: there
  /// are none, or more than kSlots, or rows by core that count no more.
  bool to_be_rewritten() const;

  /// All slots in as few rows as can be, one for each position. Loses what rows by core say beyond
  /// their least.
  std::vector<SlotMark> joined() const;

 private:
  Position of_core(std::string_view url, uint32_t cores) const;

  std::array<std::optional<Position>, kSlots> by_slot_;
  std::vector<Position> by_core_;
  size_t rows_ = 0;
};

}  // namespace eventhorn::store
