// Rows `e` of the family `default`: URL -> the health of an endpoint that is not well. Written with
// progress.
#pragma once

#include "store/model.h"
#include "store/rocks/database.h"
#include "store/rocks/format.h"
#include "store/rocks/scan.h"

#include <string>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class EndpointTable {
 public:
  /// `database` must outlive this.
  explicit EndpointTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(std::string_view url) {
    return format::meta_key(format::kEndpointPrefix, url);
  }

  static std::string encode(const EndpointRow& row);
  static Result<EndpointRow> decode(std::string_view url, std::string_view value);

  void put(const EndpointRow& row, rocksdb::WriteBatch& batch) const;
  /// Nothing happens when there is none.
  void remove(std::string_view url, rocksdb::WriteBatch& batch) const;

  /// Calls `each(EndpointRow)` for all rows, by URL.
  template <class F>
  Status scan(F each) const {
    const auto take = [&](std::string_view key, std::string_view value) -> Result<bool> {
      TRY(auto row, decode(key.substr(1), value));
      each(std::move(row));
      return true;
    };
    return scan_prefix(database_.rows(Family::kMeta, /*once=*/true), key({}), "reading progress",
                       take);
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
