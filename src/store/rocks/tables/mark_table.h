// Rows `s` of the family `default`: slots -> how far all of them are settled (store/slots.h).
// Versions before slots had the key (core), which is shorter; those refuse a store with these rows.
// Written with progress.
#pragma once

#include "store/rocks/database.h"
#include "store/rocks/format.h"
#include "store/slots.h"

#include <span>
#include <string>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class MarkTable {
 public:
  /// `database` must outlive this.
  explicit MarkTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  /// `slots` is not empty.
  static std::string key(SlotSet slots);
  /// Whether the key of a row `s` is one of the versions before slots.
  static bool is_by_core(std::string_view key);
  static std::string encode(Position settled_through);
  static Result<SlotMark> decode(std::string_view key, std::string_view value);

  void put(const SlotMark& mark, rocksdb::WriteBatch& batch) const;
  /// Puts `marks` in place of all that are there.
  Status replace(std::span<const SlotMark> marks, rocksdb::WriteBatch& batch) const;

  Result<SlotMarks> load() const;

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
