// Family `attempts`: (lane, time, position) -> the record of an attempt, or of several successes of
// one lane packed, whose key has the last time and the first position. Times are by the kept clock.
// Written with progress. attempt_records.h says which attempts are packed.
#pragma once

#include "store/model.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/format.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class AttemptTable {
 public:
  /// `database` must outlive this.
  explicit AttemptTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(LaneId lane, SystemTime written, Position position);
  static std::string encode(const AttemptRow& row);
  /// Successes at the first try of one lane: 20 bytes each.
  static std::string encode_packed(const std::vector<const AttemptRow*>& rows);
  /// Appends what a row of either form holds, without the time of its key; of one position where
  /// given.
  static Status decode(LaneId lane, std::optional<Position> only, std::string_view value,
                       std::vector<AttemptRow>& out);

  void put(const AttemptRow& row, rocksdb::WriteBatch& batch) const;
  /// `rows` are successes at the first try of one lane, at least one.
  void put_packed(const std::vector<const AttemptRow*>& rows, rocksdb::WriteBatch& batch) const;

  /// Appends the full record with this key, if there is one.
  Status read(LaneId lane, SystemTime written, Position position,
              std::vector<AttemptRow>& out) const;

  /// Looks for a success of `position` from `from` on, among the next 16 384 rows of the lane: some
  /// 20 ms of work, and more than a minute of a busy lane. Appends what it meets of the position
  /// up to the success, at most until `out` has `max`.
  Status find_success(LaneId lane, Position position, SystemTime from, size_t max,
                      std::vector<AttemptRow>& out) const;

  /// Changes the texts of a row: `change` is true when it has changed the one given. Adds the row
  /// to `batch` and gives true when one was. A row that is damaged stays as it is.
  Result<bool> rewrite(std::string_view key, std::string_view value,
                       const std::function<bool(std::string& text)>& change,
                       rocksdb::WriteBatch& batch) const;

  /// As ProgressReader::last_attempts().
  Result<std::vector<AttemptRow>> read_back(LaneId lane, SystemTime before, size_t max) const;

  static bool expired(std::string_view key, std::string_view, const Floors& floors) {
    return key.size() >= 16 &&
           static_cast<int64_t>(format::get_u64_be(key.data() + 8)) < floors.attempts_us;
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
