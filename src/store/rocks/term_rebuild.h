// Makes the index of terms of what was indexed without it: by an older version of the program, or
// by other rules (event::terms_version()). Step by step, behind everything else; until it is done
// searches look at every event.
#pragma once

#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/tables/log_table.h"
#include "store/rocks/tables/number_table.h"
#include "store/rocks/term_index.h"

#include <atomic>
#include <cstdint>

namespace eventhorn::store {

class TermRebuild {
 public:
  /// Events of one step, at most.
  static constexpr uint64_t kAtOnce = 1024;

  /// All must outlive this.
  struct Parts {
    const Database& database;
    const NumberTable& numbers;
    const LogTable& log;
    const Floors& floors;
  };

  explicit TermRebuild(const Parts& parts) : parts_(parts) {}

  /// After the database was opened, before anything is indexed. `indexed` is the mark of all
  /// indexes.
  Status load(Position indexed);

  /// Forgets the index, so that it is made of the whole log. As load(), and after it.
  Status begin_anew();

  /// Positions of events that are in the other indexes and not yet in this one, at most. Any
  /// thread.
  uint64_t left() const { return left_.load(std::memory_order_acquire); }

  bool done() const { return left() == 0; }

  /// On the indexer's thread, with the database in use. True when there is more to do now.
  bool step();

 private:
  Result<Position> index(Position after, Position to);
  Status forget_marks(rocksdb::WriteBatch& batch) const;
  void look();

  const Parts parts_;
  TermIndex index_;
  // Touched only on the indexer's thread, and while the database is opened.
  Position since_;    // events after it were indexed with their terms
  Position through_;  // and those up to here have got theirs
  uint64_t told_ = 0;
  bool failing_ = false;
  std::atomic<uint64_t> left_{UINT64_MAX};
};

}  // namespace eventhorn::store
