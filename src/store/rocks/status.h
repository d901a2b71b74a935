// The one place where RocksDB's Status becomes our Error.
#pragma once

#include "base/result.h"

#include <rocksdb/status.h>

#include <string>

namespace eventhorn::store {

inline Status to_status(const rocksdb::Status& s, const char* what) {
  if (s.ok()) return {};
  Errc code = Errc::kUnavailable;
  if (s.IsCorruption()) code = Errc::kCorruption;
  return fail(code, std::string(what) + ": " + s.ToString());
}

}  // namespace eventhorn::store
