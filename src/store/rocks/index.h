// What the indexer writes of each run of the tail. An index is a table in a file of its own
// (tables/), or a class over one (counts.h). The table reads the rows, and its expired() says which
// of them retention has dropped: retention_filter.cc asks it.
//
// A reader takes Tail::runs() first and opens its iterator after: an event that is in no run any
// more is in every index. All indexes share one mark of how far they go (NumberTable), so an index
// that older stores lack must be filled on its own.
#pragma once

#include "base/result.h"
#include "store/rocks/families.h"
#include "store/rocks/tail.h"

#include <string>
#include <vector>

namespace eventhorn::store {

struct IndexRow {
  std::string key;
  std::string value;
};

/// The functions below are called on the indexer's thread, or while it waits.
class Index {
 public:
  virtual ~Index() = default;

  virtual Family family() const = 0;

  /// Whether rows are joined to those with the same keys that are there, by the family's merge
  /// operator; otherwise they take their place.
  virtual bool merges() const { return false; }

  /// What to do about a part of the index that add_rows() has to read and cannot.
  enum class Reads {
    kMustSucceed,  // it is an error, because the same run is tried again
    kMayFail,      // the rows lack what that part would tell, because it was tried often enough
  };

  /// Appends the rows of all events of `run`, in any order, each key once. The rows of a run that
  /// was indexed before are the same.
  virtual Status add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) = 0;

  /// The rows of the last run may not have been written. What was kept in memory about earlier
  /// runs is not to be relied on.
  virtual void forget() {}
};

}  // namespace eventhorn::store
