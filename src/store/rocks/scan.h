// The one walk over rows with a common beginning of their keys.
#pragma once

#include "base/result.h"
#include "store/rocks/slice.h"
#include "store/rocks/status.h"

#include <rocksdb/iterator.h>

#include <memory>
#include <string_view>
#include <utility>

namespace eventhorn::store {

/// Calls `each(key, value)`, which returns Result<bool>, for the rows whose keys begin with
/// `prefix`, from the key `from` on (which begins with it too, or lies before it), in order, until
/// it returns false. Returns its error, or that of the read, with `doing` ("reading ...") before
/// it.
template <class F>
Status scan_prefix(const std::unique_ptr<rocksdb::Iterator>& rows, std::string_view prefix,
                   std::string_view from, const char* doing, F each) {
  for (rows->Seek(to_slice(from)); rows->Valid() && rows->key().starts_with(to_slice(prefix));
       rows->Next()) {
    TRY(const bool go_on, each(rows->key().ToStringView(), rows->value().ToStringView()));
    if (!go_on) break;
  }
  return to_status(rows->status(), doing);
}

/// All rows whose keys begin with `prefix`.
template <class F>
Status scan_prefix(const std::unique_ptr<rocksdb::Iterator>& rows, std::string_view prefix,
                   const char* doing, F each) {
  return scan_prefix(rows, prefix, prefix, doing, std::move(each));
}

}  // namespace eventhorn::store
