// Drops what is old. Of the log whole ranges go at once; of other tables each row goes when RocksDB
// compacts it (retention_filter.h). How far it has come is kept: the floors of the log with the
// times they were made for, and that of the catch-up index.
#pragma once

#include "store/kept_clock.h"
#include "store/rocks/clock_keeper.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/tables/floor_table.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tables/number_table.h"

#include <cstdint>
#include <memory>

namespace eventhorn::store {

/// With the database in use; load() while the store is opened.
class Retention {
 public:
  /// All must outlive this.
  struct Parts {
    const Database& database;
    const LogTable& log;
    const FloorTable& floors;
    const NumberTable& numbers;
    KeptClock& clock;
    ClockKeeper& clock_keeper;
  };

  Retention(std::shared_ptr<Floors> floors, const Parts& parts)
      : floors_(std::move(floors)), parts_(parts) {}

  /// Raises the floors to what was kept.
  Status load();

  /// Events below are gone.
  Position floor() const { return {floors_->events}; }

  /// As Upkeep::expire(). `head` is the last visible position. What is beyond `indexed_through` is
  /// not dropped, because the index would name what is gone.
  Result<uint64_t> expire(SystemTime events_before, SystemTime attempts_before, Position head,
                          Position indexed_through);

 private:
  const std::shared_ptr<Floors> floors_;
  const Parts parts_;
};

}  // namespace eventhorn::store
