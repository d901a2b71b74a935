// Running counts of the catch-up index: how many events of each (domain, class) there were up to a
// row, kept in about every 256th row. Two of them and the rows around the ends of a range tell how
// many events the range has.
#pragma once

#include "store/rocks/format.h"
#include "store/rocks/tail.h"
#include "store/store.h"

#include <memory>
#include <string>
#include <unordered_map>

namespace rocksdb {
class ColumnFamilyHandle;
class DB;
class Iterator;
}  // namespace rocksdb

namespace eventhorn::store {

/// Carries the totals along while the indexer makes rows. Touched only on the indexer's thread, or
/// while it waits.
///
/// What is kept is no more than a copy of what the index tells: it may be dropped at any time, and
/// must be after a run that failed.
class RunningCounts {
 public:
  /// A row with totals comes at least so often.
  static constexpr uint32_t kMarkEvery = 256;
  /// Totals kept between runs: some 13 MB.
  static constexpr size_t kMaxKept = 131'072;

  RunningCounts();
  ~RunningCounts();

  /// Rows before `first` are what unknown totals are read from: a run that is indexed once more
  /// counts its events once. `anew`: totals that cannot be read begin at 0; only the differences of
  /// two mean anything, and those over such a beginning are too small.
  void begin_run(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* classes, Position first, bool anew);
  /// The value of the next row of (entry's domain, hook's class); `hook` is the entry's. By
  /// position.
  Result<std::string> add(const TailEntry& entry, webhook::Hook hook);
  void end_run();
  void clear();

 private:
  struct State {
    format::ClassTotals totals{};
    uint32_t since_mark = kMarkEvery - 1;  // the first row carries the totals
  };

  Status load(DomainUid domain, webhook::Class cls, format::ClassTotals& totals) const;

  Position first_;
  bool anew_ = false;
  std::unique_ptr<rocksdb::Iterator> before_;
  std::array<std::unordered_map<DomainUid, State>, webhook::kClasses> kept_;
};

}  // namespace eventhorn::store
