// The records of attempts. Successes at the first try are packed, those of a lane and save
// together; all others have a full record in `attempts`, which `tries` names by its event.
#pragma once

#include "store/rocks/tables/attempt_table.h"
#include "store/rocks/tables/try_table.h"

#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class AttemptRecords {
 public:
  /// Both must outlive this.
  AttemptRecords(const AttemptTable& attempts, const TryTable& tries)
      : attempts_(attempts), tries_(tries) {}

  /// The keys follow from the rows, so that progress that is written again leaves no second record.
  void put(const std::vector<AttemptRow>& rows, rocksdb::WriteBatch& batch) const;

  /// As ProgressReader::read_attempts().
  Result<std::vector<AttemptRow>> read(LaneId lane, Position position, SystemTime committed,
                                       size_t max) const;

 private:
  const AttemptTable& attempts_;
  const TryTable& tries_;
};

}  // namespace eventhorn::store
