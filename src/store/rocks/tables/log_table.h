// Family `log`: position -> header, then the bytes of the event as both doors send them. Written
// with each commit, in order.
#pragma once

#include "store/event_log.h"
#include "store/rocks/database.h"
#include "store/rocks/format.h"
#include "store/rocks/scan.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class LogTable {
 public:
  /// `database` must outlive this.
  explicit LogTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(Position position) { return format::u64_key(position.value); }

  static Position position_of(std::string_view key) { return {format::get_u64_be(key.data())}; }

  /// The header is apart from the event's bytes, so that those need no copy.
  static std::string header(const NewEvent& event, SystemTime committed);
  static Result<EventPtr> decode(Position position, std::string_view value);
  static Result<EventHead> decode_head(Position position, std::string_view value);

  Status put(Position position, const NewEvent& event, SystemTime committed,
             rocksdb::WriteBatch& batch) const;

  /// The greatest position; nullopt when the log is empty.
  Result<std::optional<Position>> last() const;

  /// Heads of the events in (after, through], at most `max`.
  Result<std::vector<EventHead>> read_heads(Position after, Position through, size_t max) const;

  /// Heads of the last `max` events up to `through`, newest first.
  Result<std::vector<EventHead>> read_heads_back(Position through, size_t max) const;

  static constexpr size_t kAllBytes = std::numeric_limits<size_t>::max();

  /// Appends the events at `positions` to `out`: null for those that are no more. Ends early once
  /// more than `max_bytes` of events are read.
  Status read(const std::vector<Position>& positions, size_t max_bytes,
              std::vector<EventPtr>& out) const;

  /// As read() into an empty `out`, one by one, so that a record that cannot be read costs itself
  /// alone. The statuses are those of the events; the event of an error is null.
  std::vector<Status> read_each(const std::vector<Position>& positions, size_t max_bytes,
                                std::vector<EventPtr>& out) const;

  /// nullopt when the event is no more.
  Result<std::optional<EventHead>> find_head(Position position) const;

  /// Calls `each(const EventPtr&)` for all events after a position, in order.
  template <class F>
  Status scan(Position after, F each) const {
    const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
      TRY(const EventPtr event, decode(position_of(key), value));
      each(event);
      return true;
    };
    return scan_prefix(database_.rows(Family::kLog), "", key(just_after(after)), "reading the log",
                       take);
  }

  /// The end of what was committed before `time`, of the events in [begin, end): a position from
  /// `begin` to `end`. By halving, because commit times never fall from one position to the next.
  /// Those that an older version took from the wall clock may: its jumps only move the result.
  Result<Position> first_committed_since(SystemTime time, Position begin, Position end) const;

  /// Upkeep::cut_to_bytes() of the events in [begin, last].
  Result<SystemTime> cut_to_bytes(uint64_t bytes, Position begin, Position last) const;

  /// Events before `end` go.
  void drop_before(Position end, rocksdb::WriteBatch& batch) const;
  /// Files that have nothing else go at once. Once the batch of drop_before() is written.
  Status drop_files_before(Position end) const;

 private:
  Status read_run(const std::vector<Position>& positions, size_t max_bytes,
                  std::vector<EventPtr>& out) const;
  /// Bytes of files that hold what is from `begin` on, to within a block.
  Result<uint64_t> bytes_from(Position begin) const;

  const Database& database_;
};

}  // namespace eventhorn::store
