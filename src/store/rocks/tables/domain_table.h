// Rows `d` of the family `default`: name -> a domain with its lanes and hooks. Written with the
// commit of an edit.
#pragma once

#include "store/model.h"
#include "store/rocks/database.h"
#include "store/rocks/format.h"
#include "store/rocks/scan.h"

#include <string>
#include <string_view>

namespace eventhorn::store {

/// Any thread, with the database in use.
class DomainTable {
 public:
  /// `database` must outlive this.
  explicit DomainTable(const Database& database) : database_(database) {}

  // The bytes on disk.
  static std::string key(std::string_view name) {
    return format::meta_key(format::kDomainPrefix, name);
  }

  static std::string encode(const Domain& domain);
  static Result<DomainPtr> decode(std::string_view value);

  void put(std::string_view name, const Domain& domain, rocksdb::WriteBatch& batch) const;
  /// Nothing happens when there is none.
  void remove(std::string_view name, rocksdb::WriteBatch& batch) const;

  /// Calls `each(DomainPtr)` for all domains.
  template <class F>
  Status scan(F each) const {
    const auto take = [&](std::string_view, std::string_view value) -> Result<bool> {
      TRY(auto domain, decode(value));
      each(std::move(domain));
      return true;
    };
    return scan_prefix(database_.rows(Family::kMeta, /*once=*/true), key({}), "reading domains",
                       take);
  }

 private:
  const Database& database_;
};

}  // namespace eventhorn::store
