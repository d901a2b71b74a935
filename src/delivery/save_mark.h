// What the Saver keeps in each lane and endpoint.
#pragma once

namespace eventhorn::delivery {

/// Read and written by the Saver alone.
class SaveMark {
 private:
  friend class Saver;

  bool dirty_ = false;    // stands in the changes
  bool has_row_ = false;  // in the store, or in the save that is under way
  bool behind_ = false;   // counted as a lane that is behind
};

}  // namespace eventhorn::delivery
