// Family `times`: (domain uid, timestamp, id) -> position, name, severity. Pages walk it. Written
// by the indexer.
#pragma once

#include "store/pages.h"
#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/format.h"
#include "store/rocks/index.h"

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace rocksdb {
class Iterator;
}  // namespace rocksdb

namespace eventhorn::store {

struct TimeRow {
  int64_t timestamp_us;
  std::string id;
  Position position;
  event::Name name;
  event::Severity severity;

  /// What rows are ordered by.
  auto place() const { return std::tie(timestamp_us, id); }
};

/// Any thread, with the database in use.
class TimeTable final : public Index {
 public:
  /// `database` must outlive this.
  explicit TimeTable(const Database& database) : database_(database) {}

  // The bytes on disk. Timestamps are positive, because events before 2000 are refused.
  static std::string key(DomainUid domain, int64_t timestamp_us, std::string_view id);
  static std::string encode(Position position, event::Name name, event::Severity severity);

  Family family() const override { return Family::kTimes; }

  Status add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) override;

  /// Goes over the rows in the range of a query and beyond its cursor, in its direction. Rows that
  /// retention dropped may still be there.
  class Walk {
   public:
    /// At the first row. `query` must outlive this.
    Walk(const TimeTable& table, const PageQuery& query);
    ~Walk();

    /// False at the end of the range, and after an error.
    bool valid() const;
    TimeRow row() const;
    void next();
    Status status() const;

   private:
    std::unique_ptr<rocksdb::Iterator> rows_;
    const PageQuery& query_;
  };

  static bool expired(std::string_view, std::string_view value, const Floors& floors) {
    return value.size() >= 8 && format::get_u64_be(value.data()) < floors.events;
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
