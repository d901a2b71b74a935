// Row `k` of the family `default`: the kept clock (store/kept_clock.h).
#pragma once

#include "store/kept_clock.h"
#include "store/rocks/database.h"

#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class ClockTable {
 public:
  /// `database` must outlive this.
  explicit ClockTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string encode(const KeptClock::Saved& saved);
  static Result<KeptClock::Saved> decode(std::string_view value);

  /// Last in a batch, so that no stamp in it is much later than the row (KeptClock::kSaveEvery).
  void put(const KeptClock::Saved& saved, rocksdb::WriteBatch& batch) const;

  /// nullopt when there is none.
  Result<std::optional<KeptClock::Saved>> load() const;

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
