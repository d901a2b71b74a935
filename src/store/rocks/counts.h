// Running counts of the catch-up index: how many events of each (domain, class) there were up to a
// row, kept in about every 256th row. Two of them and the rows around the ends of a range tell how
// many events the range has (ClassTable::Walk::count). Events that no lane sees are not counted.
#pragma once

#include "store/rocks/index.h"
#include "store/rocks/tables/class_table.h"

#include <array>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace eventhorn::store {

/// Makes the rows of `classes`, and carries the totals along.
///
/// What is kept is no more than a copy of what the index tells: it may be dropped at any time, and
/// must be after a run that failed.
class RunningCounts final : public Index {
 public:
  /// A row with totals comes at least so often.
  static constexpr uint32_t kMarkEvery = 256;
  /// Totals kept between runs: some 13 MB.
  static constexpr size_t kMaxKept = 131'072;

  /// `classes` must outlive this.
  explicit RunningCounts(const ClassTable& classes) : classes_(classes) {}

  Family family() const override { return Family::kClasses; }

  /// Unknown totals are read from the rows before the run: one that is indexed once more counts its
  /// events once. With kMayFail totals that cannot be read begin at 0; only the differences of two
  /// mean anything, and those over such a beginning are too small.
  Status add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) override;

  void forget() override;

 private:
  struct State {
    ClassTotals totals{};
    uint32_t since_mark = kMarkEvery - 1;  // the first row carries the totals
  };

  /// What one run needs: the rows before it.
  struct Before {
    rocksdb::Iterator& rows;
    Position first;  // of the run
    Reads reads;
  };

  Result<std::string> add(const TailEntry& entry, webhook::Hook hook, const Before& before);
  static Result<ClassTotals> totals_before(DomainUid domain, webhook::Class cls,
                                           const Before& before);

  const ClassTable& classes_;
  std::array<std::unordered_map<DomainUid, State>, webhook::kClasses> kept_;
};

}  // namespace eventhorn::store
