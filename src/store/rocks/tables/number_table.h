// Single rows of the family `default` whose value is a big-endian u64: positions, and the
// generation.
#pragma once

#include "store/rocks/database.h"
#include "store/rocks/format.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class NumberTable {
 public:
  /// The next position, as the last edit left it.
  static constexpr std::string_view kNextPosition = format::kNextPositionKey;
  /// Every event up to this position is in the indexes.
  static constexpr std::string_view kIndexedThrough = format::kIndexedThroughKey;
  /// Rows of `classes` and missed events below this position may be gone.
  static constexpr std::string_view kClassesFloor = format::kClassesFloorKey;
  /// With the two bytes of event::terms_version(): events after this position were indexed with
  /// their terms.
  static constexpr std::string_view kTermsSince = format::kTermsSinceKey;
  /// With the same: those up to this position have got theirs later.
  static constexpr std::string_view kTermsThrough = format::kTermsThroughKey;
  /// Events after this position have a row in `classes` each (order_fill.h).
  static constexpr std::string_view kOrderedAfter = format::kOrderedAfterKey;
  /// Random, another one in a store that was repaired.
  static constexpr std::string_view kGeneration = format::kGenerationKey;

  /// `database` must outlive this.
  explicit NumberTable(const Database& database) : database_(database) {}

  void put(std::string_view key, uint64_t value, rocksdb::WriteBatch& batch) const;
  /// nullopt when there is none.
  Result<std::optional<uint64_t>> load(std::string_view key) const;

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
