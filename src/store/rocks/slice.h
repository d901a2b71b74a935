// Our views as RocksDB's.
#pragma once

#include <rocksdb/slice.h>

#include <string_view>

namespace eventhorn::store {

inline rocksdb::Slice to_slice(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace eventhorn::store
