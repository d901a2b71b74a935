// The list of what a repair lost, `lost.ndjson`: a line each (docs/STORAGE_FORMAT.md, "Damage and
// repair").
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "store/rocks/families.h"
#include "store/rocks/repair/readable_rows.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace eventhorn::store {

/// One thread.
class LostList {
 public:
  /// kUnavailable when the file cannot be made.
  Status open(const std::filesystem::path& file);

  /// An event that the index of ids knows. `domain` is empty when it is not known.
  void add_event(uint64_t position, std::string_view domain, std::string_view id);

  /// Positions of the log, and when the events around them were committed, where that is known.
  struct Range {
    uint64_t first = 0;
    std::optional<uint64_t> last;  // nullopt: to the end
    std::string committed_after;
    std::string committed_before;
  };

  void add_range(const Range& range);

  /// Rows of a family between two keys.
  void add_rows(Family family, const ReadableRows::Gap& gap);

  /// A lane whose progress may be lost. Of `url` what may be shown is written.
  void add_lane(LaneId lane, std::string_view domain, const std::string& url);

  /// kUnavailable unless all of it was written. It is not synced.
  Status close();

 private:
  std::filesystem::path file_;
  std::ofstream out_;
};

}  // namespace eventhorn::store
