// Family `ids`: (domain uid, id) -> position, hash of the event's bytes. Written by the indexer; an
// id outlives its event by 7 days.
#pragma once

#include "store/rocks/database.h"
#include "store/rocks/floors.h"
#include "store/rocks/format.h"
#include "store/rocks/index.h"

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class IdTable final : public Index {
 public:
  struct Row {
    Position position;
    uint64_t content_hash = 0;
  };

  /// `database` must outlive this.
  explicit IdTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(DomainUid domain, std::string_view id);
  static std::string encode(Position position, uint64_t content_hash);
  static Result<Row> decode(std::string_view value);

  Family family() const override { return Family::kIds; }

  Status add_rows(const TailRun& run, Reads reads, std::vector<IndexRow>& out) override;

  /// What a look-up of many keys found, by their places among the keys.
  class Answers {
   public:
    /// nullopt when there is no such row.
    Result<std::optional<Row>> operator[](size_t place) const;

   private:
    friend class IdTable;
    std::vector<rocksdb::PinnableSlice> values_;
    std::vector<rocksdb::Status> statuses_;
  };

  /// `keys` are of key().
  Answers look_up(const std::vector<std::string>& keys) const;

  static bool expired(std::string_view, std::string_view value, const Floors& floors) {
    return value.size() >= 8 && format::get_u64_be(value.data()) < floors.ids;
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
