// Rows `v` of the family `default`: what others keep in the store by name (store/values.h).
#pragma once

#include "store/rocks/database.h"
#include "store/rocks/format.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::store {

/// Any thread, with the database in use.
class ValueTable {
 public:
  /// `database` must outlive this.
  explicit ValueTable(const Database& database) : database_(database) {}

  static std::string key(std::string_view name) {
    return format::meta_key(format::kValuePrefix, name);
  }

  void put(std::string_view name, std::string_view value, rocksdb::WriteBatch& batch) const;
  /// Nothing happens when there is none.
  void remove(std::string_view name, rocksdb::WriteBatch& batch) const;

  /// nullopt when there is none.
  Result<std::optional<std::string>> load(std::string_view name) const;
  /// All (name, value) whose names begin with `prefix`, by name.
  Result<std::vector<std::pair<std::string, std::string>>> load_all(std::string_view prefix) const;

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
