// What may go wrong in a run, and what its clients may do beyond appending. A run that fails is
// tried without one after the other, to see which of them it takes (shrink.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace eventhorn::simulation {

enum class Ingredient : uint8_t {
  // The machine. In this order: machine.cc draws one of them.
  kStops,
  kKills,
  kPowerCuts,
  kDisk,
  kClocks,
  kTempers,  // of receivers
  kStalls,   // of threads, between two pieces of their work
  // Clients.
  kEdits,  // of webhooks; the first of a domain is always made
  kPauses,
  kRemovals,  // of domains
  kReplays,
  kReads,  // of pages and of what operators list
};

inline constexpr std::array<std::string_view, 12> kIngredientNames = {
    "stops",  "kills", "power-cuts", "disk",     "clocks",  "tempers",
    "stalls", "edits", "pauses",     "removals", "replays", "reads"};
static_assert(kIngredientNames.size() == static_cast<size_t>(Ingredient::kReads) + 1);

class Ingredients {
 public:
  static Ingredients all() { return {}; }

  /// Only clients, and receivers that are well.
  static Ingredients without_faults() {
    auto out = all();
    for (uint8_t i = 0; i <= static_cast<uint8_t>(Ingredient::kStalls); ++i)
      out = out.without(Ingredient{i});
    return out;
  }

  bool has(Ingredient one) const { return (left_out_ >> static_cast<unsigned>(one) & 1) == 0; }

  Ingredients without(Ingredient one) const {
    auto out = *this;
    out.left_out_ |= 1U << static_cast<unsigned>(one);
    return out;
  }

  friend bool operator==(Ingredients, Ingredients) = default;

 private:
  uint32_t left_out_ = 0;  // bit i: Ingredient i
};

inline std::optional<Ingredient> parse_ingredient(std::string_view name) {
  for (size_t i = 0; i < kIngredientNames.size(); ++i) {
    if (kIngredientNames[i] == name) return Ingredient(i);
  }
  return std::nullopt;
}

}  // namespace eventhorn::simulation
