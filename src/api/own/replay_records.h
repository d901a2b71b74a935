// What was asked to be replayed, kept in the store as a value of each replay: "replay/" and its id.
// How far a replay has come is not kept here: its segments in the lanes tell.
#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "store/values.h"

#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace eventhorn::api {

struct ReplayRecord {
  uint64_t id = 0;
  std::string domain;            // empty: all
  std::string url;               // empty: all
  std::optional<LaneId> lane{};  // none: all
  /// Events committed in [begin, end); without them the missed ones.
  std::optional<SystemTime> begin;
  std::optional<SystemTime> end;
  SystemTime created;
  uint64_t lanes = 0;
  uint64_t events = 0;  // deliveries, when it was asked for
  uint64_t bytes = 0;
  bool prepared = false;  // all lanes have their segments
  bool cancelled = false;
  friend bool operator==(const ReplayRecord&, const ReplayRecord&) = default;
};

/// Blocks on the disk. Any thread may read; add() and change() are called one at a time.
class ReplayRecords {
 public:
  static constexpr size_t kMax = 1000;

  /// Keeps `max` of them.
  explicit ReplayRecords(store::Values& values, size_t max = kMax) : values_(values), max_(max) {}

  /// Saves it under a new id. With `max` of them the oldest goes that is not in `live`;
  /// kRateLimited when all are.
  Result<ReplayRecord> add(ReplayRecord record, const std::unordered_set<uint64_t>& live);
  /// Newest first.
  Result<std::vector<ReplayRecord>> all();
  /// kNotFound when there is none.
  Result<ReplayRecord> find(uint64_t id);
  /// As find(), after `edit` was applied and saved.
  Result<ReplayRecord> change(uint64_t id, const std::function<void(ReplayRecord&)>& edit);

 private:
  Result<std::vector<ReplayRecord>> load_all();
  Status save(const ReplayRecord& record);

  store::Values& values_;
  const size_t max_;
};

std::string encode_replay(const ReplayRecord& record);
/// kCorruption for anything that encode_replay does not make.
Result<ReplayRecord> decode_replay(std::string_view text);

}  // namespace eventhorn::api
