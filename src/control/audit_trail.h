// What was changed by API, by whose key and from where. Never what was given: that may be secret.
// Thread-safe.
#pragma once

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "store/values.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace eventhorn::control {

/// A call that changed something.
struct AuditEntry {
  uint64_t id = 0;  // counts up from 1
  SystemTime at;
  std::string key_id;
  std::string address;  // of the client
  std::string method;
  std::string path;  // without the query
};

class AuditTrail {
 public:
  /// So many are kept, the newest.
  static constexpr size_t kKeep = 10'000;

  /// Reads what was kept; an entry that is damaged is left out. `values` must outlive the trail.
  static Result<std::unique_ptr<AuditTrail>> load(store::Values& values);

  /// Gives the entry its id. It outlives the process when it returns. Blocks on the disk; one call
  /// at a time.
  Status add(AuditEntry entry);

  /// At most `max` with an id below `before` (0: the newest), newest first.
  std::vector<AuditEntry> read(uint64_t before, size_t max) const;

 private:
  explicit AuditTrail(store::Values& values) : values_(values) {}

  store::Values& values_;
  mutable Mutex mutex_;
  std::deque<AuditEntry> entries_ GUARDED_BY(mutex_);  // by id
};

}  // namespace eventhorn::control
